import Foundation
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

    @Test("TCP and MPI give the same bits", .enabled(if: mpirunPath != nil))
    func overMPI() throws {
        let overTCP = try parameters(program.start(["launch", "-n", "2"] + Self.options).wait())
        let overMPI = try mpirun(2, Self.options + ["--backend=mpi"])
        #expect(try parameters(overMPI) == overTCP)
        #expect(overMPI.outputLines.contains { $0.hasPrefix("network: mpi") }, "\(overMPI)")
        #expect(try parameters(mpirun(2, Self.options + ["--backend=tcp"])) == overTCP)
    }

    @Test("A rank with another option is refused with 64, and both sides say the key and both values")
    func otherOption() throws {
        func rank(_ number: Int, _ extra: String) throws -> Program.Running {
            var program = program
            program.environment.merge([
                "RANK": "\(number)", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29713",
            ]) { $1 }
            return try program.start(Self.options + [extra])
        }
        let ranks = [try rank(0, "--learning_rate=0.001"), try rank(1, "--learning_rate=0.002")]
        for result in try ranks.map({ try $0.wait() }) {
            #expect(result.exitCode == 64, "\(result)")
            #expect(result.errors.contains("learning_rate differs"), "\(result)")
            #expect(result.errors.contains("0.001 on rank 0") && result.errors.contains("0.002 on rank 1"), "\(result)")
        }
    }

    @Test("bench-comm measures every size, and is JSON on request")
    func benchmark() throws {
        let result = try program.start(
            ["launch", "-n", "2", "bench-comm", "--sizes=0.004,0.1", "--repeats=2", "--json"]
        ).wait()
        #expect(result.exitCode == 0, "\(result)")
        let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        let sizes = try #require(object?["sizes"] as? [[String: Any]])
        #expect(sizes.map { $0["bytes"] as? Int } == [4000, 100_000])
        #expect(sizes.allSatisfy { ($0["bus_bytes_per_second"] as? Double ?? 0) > 0 })
    }
}

/// Where mpirun is; nil where there is none.
private let mpirunPath = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":").map { "\($0)/mpirun" }
    .first { FileManager.default.isExecutableFile(atPath: $0) }
