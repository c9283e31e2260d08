import Formats
import Foundation
import Platform
import TestSupport
import Testing

/// Real processes that train together, over TCP and, where mpirun is there and MPI built in, over MPI.
@Suite("Several ranks", .serialized)
struct SeveralRanksTests {
    private let folder: TemporaryFolder
    private let program: Program

    init() throws {
        folder = try TemporaryFolder()
        program = Program(in: folder)
        let prepared = try program.run("prepare", "demo", "--characters=50000")
        #expect(prepared.exitCode == 0, "\(prepared)")
    }

    private static let options = [
        "--dataset=demo", "--n_layer=2", "--n_head=2", "--n_embd=32", "--block_size=32", "--batch_size=4",
        "--gradient_accumulation_steps=3", "--dropout=0.1", "--max_iters=20", "--eval_interval=10", "--eval_iters=3",
        "--threads=1", "--overwrite",
    ]

    /// The line that ends a run: `parameters HASH; …`
    private func parameters(_ result: Program.Result) throws -> Substring {
        #expect(result.exitCode == 0, "\(result)")
        let line = try #require(result.outputLines.last { $0.hasPrefix("parameters ") }, "\(result)")
        return line.prefix { $0 != ";" }
    }

    private func mpirun(_ ranks: Int, _ arguments: [String]) throws -> Program.Result {
        var environment = program.environment
        environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
        environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
        return try Program.Running(
            executable: mpirunPath!,
            arguments: ["--oversubscribe", "-np", "\(ranks)", try Program.path()] + arguments,
            folder: program.folder,
            environment: environment,
            input: ""
        ).wait()
    }

    @Test("Launched ranks train together, run after run to the same bits, and agree with one rank in their losses")
    func launched() throws {
        func train(_ ranks: Int) throws -> (Substring, Double) {
            let result = try program.start(["launch", "-n", "\(ranks)"] + Self.options).wait()
            let step = try #require(result.outputLines.last { $0.hasPrefix("step 20: ") }, "\(result)")
            let loss = try #require(Double(step.split(separator: " ").last ?? ""))
            return (try parameters(result), loss)
        }
        let (alone, together) = (try train(1), try train(3))
        #expect(abs(alone.1 - together.1) < 1e-3)
        #expect(try train(3).0 == together.0)
    }

    @Test("The ranks' profiles are joined on one clock: a sum goes on in both ranks at once")
    func trace() throws {
        let trained = try program.start(["launch", "-n", "2"] + Self.options + ["--profile=out/trace.json"]).wait()
        #expect(trained.exitCode == 0, "\(trained)")
        #expect(trained.output.contains("profile of 10 steps, a file each rank: out/trace.json"))
        let joined = try program.run("trace", "out", "--json")
        #expect(joined.exitCode == 0, "\(joined)")
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(joined.output.utf8)) as? [String: Any]
        )
        #expect((report["ranks"] as? [Any])?.count == 2)
        #expect(report["steps"] as? Int == 10)
        let events = try #require(
            try JSONSerialization.jsonObject(with: Data(FileSystem.read(folder.path + "/out/trace.all.json")))
                as? [[String: Any]]
        )
        func sums(_ rank: Int) -> [(start: Double, end: Double)] {
            events.filter { $0["name"] as? String == "sum" && $0["pid"] as? Int == rank }.compactMap { event in
                guard let start = event["ts"] as? Double, let duration = event["dur"] as? Double else { return nil }
                return (start, start + duration)
            }
        }
        let (first, second) = (sums(0), sums(1))
        #expect(first.count == second.count)
        #expect(first.count >= 10)
        for (a, b) in zip(first, second) { #expect(max(a.start, b.start) < min(a.end, b.end)) }
    }

    @Test("TCP and MPI give the same bits", .enabled(if: mpirunPath != nil))
    func overMPI() throws {
        let overTCP = try parameters(program.start(["launch", "-n", "2"] + Self.options).wait())
        let overMPI = try mpirun(2, Self.options + ["--backend=mpi"])
        #expect(try parameters(overMPI) == overTCP)
        #expect(overMPI.outputLines.contains { $0.hasPrefix("network: mpi") }, "\(overMPI)")
        #expect(try parameters(mpirun(2, Self.options + ["--backend=tcp"])) == overTCP)
    }

    /// A rank that is started by hand.
    private func rank(_ number: Int, port: Int, _ arguments: [String]) throws -> Program.Running {
        var program = program
        program.environment.merge([
            "RANK": "\(number)", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(port)",
        ]) { $1 }
        return try program.start(arguments)
    }

    @Test("A rank with another option is turned away with 64, both sides name it, and the job waits for its own rank")
    func otherOption() throws {
        let own = Self.options + ["--learning_rate=0.001"]
        let main = try rank(0, port: 29713, own)
        let stranger = try rank(1, port: 29713, Self.options + ["--learning_rate=0.002"]).wait()
        let difference = "because it has learning_rate=0.002 (rank 0: 0.001)"
        #expect(stranger.exitCode == 64, "\(stranger)")
        #expect(stranger.errors.contains(difference), "\(stranger)")
        #expect(main.errors.contains("ddp-train: turned away rank 1 from 127.0.0.1, \(difference)"), "\(main.errors)")
        // A rank of another command is no rank of this job either.
        let doctor = try rank(1, port: 29713, ["doctor"]).wait()
        #expect(doctor.exitCode == 64, "\(doctor)")
        #expect(doctor.errors.contains("because it has command=doctor (rank 0: train)"), "\(doctor)")
        let other = try rank(1, port: 29713, own)
        for result in [try main.wait(), try other.wait()] { #expect(result.exitCode == 0, "\(result)") }
    }

    @Test("Ranks whose ports are all taken say so with 64; each names the range")
    func portsTaken() throws {
        let arguments = Self.options + ["--port_range=29714-29714"]
        // Rank 0's own port is the only one of the range until all have come.
        let ranks = [try rank(0, port: 29714, arguments), try rank(1, port: 29714, arguments + ["--meet_timeout=20"])]
        let worker = try ranks[1].wait()
        #expect(worker.exitCode == 64, "\(worker)")
        let line =
            "port_range=29714-29714: the port is in use on 127.0.0.1, where rank 1 listens: choose a wider --port_range"
        #expect(worker.errors.contains(line), "\(worker)")
        ranks[0].send(SIGKILL)
        _ = try ranks[0].wait()
    }

    @Test("Ranks whose copies of the data differ are refused with 65, and both name rank, file and bytes")
    func otherData() throws {
        let copy = folder("copy/demo")
        try FileManager.default.createDirectory(atPath: folder("copy"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: folder("data/demo"), toPath: copy)
        var bytes = try FileSystem.read(copy + "/train.bin")
        for byte in bytes.count / 2..<bytes.count { bytes[byte] = 0 }
        try AtomicFile.write(bytes, to: copy + "/train.bin")
        func rank(_ number: Int, _ dataFolder: String) throws -> Program.Running {
            var program = program
            program.environment.merge([
                "RANK": "\(number)", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29716",
            ]) { $1 }
            return try program.start(Self.options + ["--data_dir=\(dataFolder)", "--out_dir=other-data"])
        }
        let ranks = [try rank(0, "data"), try rank(1, "copy")]
        for result in try ranks.map({ try $0.wait() }) {
            #expect(result.exitCode == 65, "\(result)")
            let place =
                #/rank 1 \([^)]*\) has other bytes in demo/train.bin than rank 0 \([^)]*\), first at bytes \d+–\d+/#
            #expect(result.errors.contains(place), "\(result)")
        }
        #expect(FileSystem.kind(of: folder("other-data")) == nil)
    }

    /// Two ranks over TCP, of which rank 1 reads its data where a call never returns: a pipe that nobody writes to. `act` is the
    /// shell's, when both have met.
    private func hanging(port: Int, timeout: Int, _ act: String = "") throws -> Program.Result {
        try program.shell(
            """
            cp -r data bad && rm bad/demo/val.bin && mkfifo bad/demo/val.bin
            export WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=\(port)
            train() { exec '\(try Program.path())' \(Self.options.joined(separator: " ")) --timeout=\(timeout) "$@"; }
            (RANK=0; export RANK; train --data_dir=data) > zero 2>&1 & zero=$!
            (RANK=1; export RANK; train --data_dir=bad) > one 2>&1 & one=$!
            until grep -q network: zero; do sleep 0.05; done
            \(act)
            wait $zero; echo "rank 0: $?"
            wait $one; echo "rank 1: $?"
            cat zero one >&2
            """
        )
    }

    @Test("A rank whose storage hangs is named, with what it was doing")
    func hangingStorage() throws {
        let result = try hanging(port: 29714, timeout: 2)
        #expect(result.outputLines == ["rank 0: 69", "rank 1: 69"], "\(result)")
        let line = "ddp-train: error: rank 1 (\(try host(result))): no progress for 2 s while opening the dataset"
        #expect(result.errorLines.filter { $0 == line }.count == 2, "\(result)")
    }

    private func host(_ result: Program.Result) throws -> Substring {
        try #require(result.errors.firstMatch(of: /rank 1 \((.*?)\)/), "\(result)").1
    }

    @Test(
        "A signal to one rank before training ends all as stopped, and nobody calls another one lost",
        arguments: [0, 1]
    )
    func stoppedBeforeTraining(rank: Int) throws {
        let result = try hanging(port: 29715, timeout: 60, "kill -TERM \(rank == 0 ? "$zero" : "$one")")
        #expect(result.outputLines == ["rank 0: 75", "rank 1: 75"], "\(result)")
        let line = "ddp-train: stopped by a signal before training began, so there is nothing to save"
        #expect(result.errorLines.filter { $0 == line }.count == 2 && !result.errors.contains("error"), "\(result)")
    }

    @Test("Only rank 0 needs what is resumed, and what is wrong with it ends all ranks alike")
    func resumedByRankZero() throws {
        try FileSystem.createFolder(folder("other"))
        symlink(folder("data"), folder("other/data"))
        func resume(_ port: Int, _ options: [String]) throws -> [Program.Result] {
            let ranks = try (0..<2).map { rank in
                var environment = program.environment
                environment.merge([
                    "RANK": "\(rank)", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "\(port)",
                ]) { $1 }
                return try Program.Running(
                    executable: try Program.path(),
                    arguments: ["--init_from=resume"] + options,
                    folder: rank == 0 ? folder.path : folder("other"),
                    environment: environment,
                    input: ""
                )
            }
            return try ranks.map { try $0.wait() }
        }
        for result in try resume(29714, ["--out_dir=none", "--dataset=demo"]) {
            #expect(result.exitCode == 74, "\(result)")
            #expect(result.errorLines.count == 1 && result.errors.contains("there is no folder none"), "\(result)")
        }
        let options =
            ["launch", "-n", "2", "--lr_decay_iters=20"] + Self.options.filter { !$0.hasPrefix("--max_iters") }
        let whole = try parameters(program.start(options + ["--max_iters=20"]).wait())
        _ = try parameters(program.start(options + ["--max_iters=10", "--out_dir=half"]).wait())
        // Options that only rank 0's config.toml has are those of both.
        let profile = ["--max_iters=20", "--out_dir=half", "--profile=half/trace.json"]
        let results = try resume(29715, profile)
        #expect(results[1].exitCode == 0, "\(results)")
        #expect(try parameters(results[0]) == whole)
        #expect(FileSystem.kind(of: folder("other/half/config.toml")) == nil)
    }

    @Test("A step and an evaluation that last longer than the timeout are no alarm")
    func longerThanTimeout() throws {
        let timeout = 2
        // A hundred sequences a rank, each a small part of the timeout even on a machine that is busy elsewhere.
        let result = try program.start(
            [
                "launch", "-n", "2", "--", "--dataset=demo", "--n_layer=4", "--n_head=4", "--n_embd=256",
                "--block_size=256", "--batch_size=1", "--gradient_accumulation_steps=200", "--max_iters=1",
                "--eval_interval=1", "--eval_iters=100", "--log_interval=1", "--threads=1", "--timeout=\(timeout)",
                "--overwrite",
            ]
        ).wait()
        #expect(result.exitCode == 0, "\(result)")
        let line = try #require(result.outputLines.first { $0.hasPrefix("iter 0: ") }, "\(result)")
        let words = line.split(separator: " ")
        let place = try #require(words.firstIndex(of: "time"))
        let milliseconds = try #require(Double(words[place + 1].dropLast(3)), "\(line)")
        #expect(milliseconds > Double(1000 * timeout), "the step is too short to show anything: \(line)")
    }

    @Test(
        "Who names a transport and starts no ranks is told how, instead of training alone",
        arguments: ["tcp", "mpi"]
    )
    func backendAlone(backend: String) throws {
        let result = try program.start(Self.options + ["--backend=\(backend)"]).wait()
        #expect(result.exitCode == 64)
        #expect(result.errors.hasPrefix("ddp-train: error: --backend=\(backend), and "), "\(result)")
        #expect(result.output.isEmpty)
    }

    @Test("bench-comm measures every size, and is JSON on request; alone it starts the ranks")
    func benchmark() throws {
        func ways(_ arguments: [String]) throws -> [JSONValue] {
            let shape = ["--n_layer=2", "--n_head=2", "--n_embd=32", "--block_size=16", "--vocab_size=100"]
            let options = ["--sizes=0.004,0.1", "--repeats=2", "--json"] + shape
            let result = try program.start(arguments + options).wait()
            #expect(result.exitCode == 0, "\(result)")
            return try #require(try JSONValue(parsing: Array(result.output.utf8))["ways"]?.arrayValue, "\(result)")
        }
        func check(_ ways: [JSONValue], _ names: [String]) {
            #expect(
                ways.map { "\($0["backend"]?.stringValue ?? "") \($0["allreduce"]?.stringValue ?? "")" } == names
            )
            for way in ways {
                let sizes = way["sizes"]?.arrayValue ?? []
                #expect(sizes.map { $0["bytes"]?.integerValue } == [4000, 100_000])
                #expect(sizes.allSatisfy { isPositive($0["bus_bytes_per_second"]) })
                #expect(isPositive(way["gradient"]?["median_ms"]))
            }
        }
        check(try ways(["launch", "-n", "2", "bench-comm"]), ["tcp ring"])
        check(try ways(["bench-comm", "--backend=tcp", "--ranks=3"]), ["tcp ring"])
        if mpirunPath != nil { check(try ways(["bench-comm"]), ["mpi ring", "mpi native", "tcp ring"]) }
    }

    @Test("doctor measures every edge of the ring")
    func doctor() throws {
        let result = try program.start(["launch", "-n", "3", "doctor", "--json"]).wait()
        #expect(result.exitCode == 0, "\(result)")
        let report = try JSONValue(parsing: Array(result.output.utf8))
        let edges = try #require(report["edges"]?.arrayValue)
        #expect(edges.map { $0["from"]?.integerValue } == [0, 1, 2])
        #expect(edges.map { $0["to"]?.integerValue } == [1, 2, 0])
        #expect(edges.allSatisfy { isPositive($0["bytes_per_second"]) })
        #expect(report["ranks"]?.arrayValue?.count == 3)
        let text = try program.start(["launch", "-n", "2", "doctor"]).wait()
        #expect(text.outputLines.filter { $0.hasPrefix("rank ") && $0.contains(" -> rank ") }.count == 2, "\(text)")
    }
}

private func isPositive(_ value: JSONValue?) -> Bool {
    switch value {
    case .number(let number)?: number > 0
    case .integer(let number)?: number > 0
    default: false
    }
}

/// Where mpirun is; nil where there is none.
private let mpirunPath = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":").map { "\($0)/mpirun" }
    .first { FileManager.default.isExecutableFile(atPath: $0) }
