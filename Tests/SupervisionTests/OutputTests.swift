import Foundation
import Platform
import Testing

@testable import Supervision

@Suite("What ranks write", .serialized)
struct OutputTests {
    @Test("The results of rank 0 come as they are, everything else with its rank, and last lines are finished")
    func prefixes() throws {
        let result = try ShellJob("echo result; echo trouble >&2; printf 'last %s' $RANK", ranks: 3).run()
        #expect(result.code == 0)
        #expect(
            result.outputLines.sorted() == [
                "[rank 1] last 1", "[rank 1] result", "[rank 2] last 2", "[rank 2] result", "last 0", "result",
            ]
        )
        let troubles = (0..<3).map { "[rank \($0)] trouble" }
        #expect(result.errorLines.dropLast().sorted() == troubles)
        #expect(result.summary.contains(/^launch: 3 ranks, \d+\.\d s: done$/), "\(result)")
    }

    @Test("One rank alone has no prefix")
    func oneRank() throws {
        let result = try ShellJob("echo result; echo trouble >&2", ranks: 1).run()
        #expect(result.outputLines == ["result"])
        #expect(result.errorLines.first == "trouble")
        #expect(result.summary.hasPrefix("launch: 1 rank, "))
    }

    @Test("Lines of many writers are never torn")
    func wholeLines() throws {
        let script = """
            i=0
            while [ $i -lt 1500 ]; do
                printf '%s begins ' $RANK
                printf 'and goes on to line %s of %s\\n' $i $RANK
                printf '%s %s\\n' $RANK $i >&2
                i=$((i + 1))
            done
            """
        let result = try ShellJob(script, ranks: 4).run()
        for rank in 0..<4 {
            let prefix = rank == 0 ? "" : "[rank \(rank)] "
            let output = (0..<1500).map { "\(prefix)\(rank) begins and goes on to line \($0) of \(rank)" }
            #expect(result.outputLines.filter { $0.hasPrefix("\(prefix)\(rank) begins") } == output, "rank \(rank)")
            let errors = (0..<1500).map { "[rank \(rank)] \(rank) \($0)" }
            #expect(result.errorLines.filter { $0.hasPrefix("[rank \(rank)]") } == errors, "rank \(rank)")
        }
        #expect(result.outputLines.count == 6000)
    }

    @Test("Lines of megabytes, and bytes that are no text, come through")
    func oddBytes() throws {
        let script = """
            if [ $RANK = 0 ]; then head -c 3000000 /dev/zero; echo; else printf '\\377\\000\\376\\n\\n'; fi
            """
        let result = try ShellJob(script, ranks: 2).run()
        let long = [UInt8](repeating: 0, count: 3_000_000) + [10]
        let odd = Array("[rank 1] ".utf8) + [0xFF, 0, 0xFE, 10] + Array("[rank 1] \n".utf8)
        #expect(result.output.count == long.count + odd.count)
        // Between the two lines of rank 1 the one of rank 0 may stand.
        let rest = result.output.filter { $0 != 0 }
        #expect(rest.count == odd.count)
        #expect(result.output.split(separator: 10, omittingEmptySubsequences: false).contains(long.dropLast()[...]))
    }

    @Test("A line beyond the limit is passed on in lines of that length")
    func limit() {
        var buffer = LineBuffer(prefix: "> ")
        buffer.limit = 4
        var text = ""
        for piece in ["ab", "cdef", "g", "h\ni"] {
            buffer.take(Array(piece.utf8)[...]) { text += String(decoding: $0, as: UTF8.self) }
        }
        buffer.finish { text += String(decoding: $0, as: UTF8.self) }
        #expect(text == "> abcdef\n> gh\n> i\n")
    }

    @Test("While nobody reads what the launcher writes, signals still arrive, and nothing is lost")
    func slowReader() throws {
        // Far more than a pipe and the launcher's own buffer hold.
        let script = """
            if [ $RANK = 0 ]; then
                trap '' USR1
                exec head -c 4000000 /dev/zero
            fi
            trap 'touch $DIR/stopped; exit 0' USR1
            until_there stuck
            signal 10
            sleep 60 & wait
            """
        var job = try ShellJob(script.replacing("signal 10", with: "signal \(SIGUSR1)"), ranks: 2)
        let (readEnd, writeEnd) = try ChildProcess.makePipe(to: "the reader")
        job.outputDescriptor = writeEnd
        let folder = job.folder.path
        let reader = Thread {
            // A full pipe tells that the launcher cannot write.
            var waiting: Int32 = 0
            while waiting < 60_000 {
                usleep(5_000)
                _ = ioctl(readEnd, UInt(FIONREAD), &waiting)
            }
            close(creat(folder + "/stuck", 0o600))
            while !FileManager.default.fileExists(atPath: folder + "/stopped") { usleep(5_000) }
            var total = 0
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = read(readEnd, &buffer, buffer.count)
                guard count > 0 else { break }
                total += count
            }
            try? String(total).write(toFile: folder + "/total", atomically: true, encoding: .utf8)
        }
        reader.start()
        #expect(try job.run().code == 0)
        while job.text("total").isEmpty { usleep(5_000) }
        close(readEnd)
        #expect(job.text("total") == "4000001")
    }

    @Test("Where nobody reads at all, ranks are still read, the oldest lines are dropped, and the end does not wait")
    func noReader() throws {
        let (readEnd, writeEnd) = try ChildProcess.makePipe(to: "nobody")
        Descriptor.makeNonBlocking(writeEnd)
        var console = LauncherConsole(output: writeEnd, errors: STDERR_FILENO, patience: .milliseconds(50))
        let line = Array((String(repeating: "x", count: 99) + "\n").utf8)
        func say(_ count: Int) { for _ in 0..<count { console.append(line[...], to: .output) } }
        say(12_000)
        for _ in 0..<100 { console.writeSome(to: .output) }
        #expect(console.isFull(.output))
        usleep(60_000)
        #expect(!console.isFull(.output))
        say(12_000)
        let signals = try SignalPipe()
        console.flush(signals: signals.descriptor)
        #expect(console.waiting == [.output])
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while !console.waiting.isEmpty {
            let count = read(readEnd, &buffer, buffer.count)
            text += buffer[..<max(0, count)]
            console.writeSome(to: .output)
        }
        close(writeEnd)
        while case let count = read(readEnd, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
        close(readEnd)
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        let gap = try #require(lines.first { $0.hasSuffix(" lines were dropped because nobody read them") })
        #expect(lines.count - 1 + (Int(gap.prefix { $0.isNumber }) ?? 0) == 24_000)
        #expect(text.count < 2 << 20)
    }

    @Test("A full disk is said once, and does not end the job", .enabled(if: access("/dev/full", W_OK) == 0))
    func fullDisk() throws {
        var job = try ShellJob("echo a; sleep 0.05; echo b", ranks: 2)
        job.outputDescriptor = open("/dev/full", O_WRONLY)
        let result = try job.run()
        #expect(result.code == 0)
        let line =
            "launch: cannot write to standard output: No space left on device; what ranks print there is lost"
        #expect(result.errorLines.filter { $0 == line }.count == 1, "\(result)")
    }
}
