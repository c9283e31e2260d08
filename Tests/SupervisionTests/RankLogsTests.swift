import Foundation
import Platform
import TestSupport
import Testing

@testable import Supervision

@Suite("Files with what ranks print", .serialized)
struct RankLogsTests {
    private func lines(_ job: ShellJob, _ name: String) -> [String] {
        job.text("logs/" + name).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private func isMark(_ line: String, start: Int, _ rest: String) -> Bool {
        line.hasPrefix("launch: start \(start) at ") && line.hasSuffix(": " + rest)
    }

    @Test("Each rank's file has both of its streams, without prefixes, and the console is as it was")
    func streams() throws {
        var job = try ShellJob("echo result $RANK; echo trouble $RANK >&2; printf 'last %s' $RANK", ranks: 2)
        job.job.logFolder = job.folder("logs")
        let result = try job.run()
        #expect(result.code == 0)
        #expect(result.outputLines.sorted() == ["[rank 1] last 1", "[rank 1] result 1", "last 0", "result 0"])
        for rank in 0...1 {
            let lines = lines(job, "rank-\(rank).log")
            #expect(isMark(lines[0], start: 1, "rank \(rank) of 2"), "\(lines)")
            #expect(lines.dropFirst().sorted() == ["last \(rank)", "result \(rank)", "trouble \(rank)"])
        }
    }

    @Test("Names of many ranks sort by rank")
    func names() throws {
        var job = try ShellJob("echo $RANK", ranks: 11)
        job.job.logFolder = job.folder("deep/logs")
        #expect(try job.run().code == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: job.folder("deep/logs")).sorted()
        #expect(names == (0..<11).map { "rank-\($0 < 10 ? "0" : "")\($0).log" })
        for (rank, name) in names.enumerated() { #expect(job.text("deep/logs/" + name).hasSuffix("\n\(rank)")) }
    }

    @Test("A restart and another job add to the files, after a line that says so")
    func restarts() throws {
        var job = try ShellJob("echo one; exit 3", ranks: 1, restarts: 1)
        job.job.logFolder = job.folder("logs")
        job.job.patience.beforeRestart = .zero
        job.continuation = { _ in .init(arguments: ["-c", "echo two"], beginning: "going on from iteration 7") }
        for _ in 0..<2 { #expect(try job.run().code == 0) }
        let lines = lines(job, "rank-0.log")
        #expect(lines.count == 8)
        for first in [0, 4] where lines.count == 8 {
            #expect(isMark(lines[first], start: 1, "rank 0 of 1"))
            #expect(lines[first + 1] == "one")
            let reason = "rank 0 of 1, going on from iteration 7, after rank 0 left with code 3"
            #expect(isMark(lines[first + 2], start: 2, reason), "\(lines[first + 2])")
            #expect(lines[first + 3] == "two")
        }
    }

    @Test("Logs that cannot be begun are refused before a rank starts", arguments: ["folder", "file"])
    func refused(place: String) throws {
        var job = try ShellJob("touch \"$DIR/started\"", ranks: 2)
        job.job.logFolder = job.folder("logs")
        let path: String
        if place == "folder" {
            path = job.folder("logs")
            try AtomicFile.write("", to: path)
        } else {
            path = job.folder("logs/rank-1.log")
            try FileSystem.createFolder(path)
        }
        let error = #expect(throws: UserError.self) { try job.run() }
        #expect(error?.kind == .inputOutput)
        #expect(error?.message.contains(path) == true, "\(String(describing: error))")
        #expect(job.text("started").isEmpty && FileSystem.kind(of: job.folder("started")) == nil)
    }

    @Test("A full disk is said once, and the ranks go on", .enabled(if: access("/dev/full", W_OK) == 0))
    func fullDisk() throws {
        var job = try ShellJob("echo a; sleep 0.05; echo b", ranks: 2)
        job.job.logFolder = job.folder("logs")
        try FileSystem.createFolder(job.folder("logs"))
        symlink("/dev/full", job.folder("logs/rank-1.log"))
        let result = try job.run()
        #expect(result.code == 0)
        #expect(result.outputLines.sorted() == ["[rank 1] a", "[rank 1] b", "a", "b"])
        let line =
            "launch: cannot write \(job.folder("logs/rank-1.log")): No space left on device; the ranks go on, and lines are "
            + "missing in the logs"
        #expect(result.errorLines.filter { $0.hasPrefix("launch: cannot write") } == [line], "\(result)")
        #expect(lines(job, "rank-0.log").suffix(2) == ["a", "b"])
    }

    @Test("Storage that stands still holds up neither ranks nor the end, and is said")
    func hanging() throws {
        // A pipe that nobody empties, full after its 64 KB.
        let folder = try TemporaryFolder()
        let path = folder("rank-0.log")
        mkfifo(path, 0o600)
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let logs = try RankLogs(folder: folder.path, rankCount: 1)
        let line = [UInt8](repeating: 65, count: 1 << 20)
        for _ in 0..<40 { logs.append(line[...], rank: 0) }
        logs.finish(within: .milliseconds(20))
        #expect(logs.takeComplaint()?.hasPrefix("\(path) is written too slowly; the ranks go on") == true)
        #expect(logs.takeComplaint() == nil)
    }
}
