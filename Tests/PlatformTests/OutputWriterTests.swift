import Foundation
import Testing

@testable import Platform

@Suite("Output that nobody reads")
struct OutputWriterTests {
    private struct Pipe {
        let readEnd, writeEnd: Int32

        init() {
            var ends: [Int32] = [-1, -1]
            precondition(pipe(&ends) == 0)
            (readEnd, writeEnd) = (ends[0], ends[1])
        }

        /// All that was written, when no writer is left.
        func text() -> String {
            close(writeEnd)
            return String(
                decoding: FileHandle(fileDescriptor: readEnd, closeOnDealloc: true).readDataToEndOfFile(),
                as: UTF8.self
            )
        }
    }

    private static func numbered(_ numbers: Range<Int>) -> String { numbers.map { "line \($0)\n" }.joined() }

    // MARK: Lines that wait

    @Test("Beyond the limit the oldest lines are dropped, and a line in their place says how many")
    func dropping() {
        var lines = OutputLines(limit: 70)
        for number in 0..<25 { lines.append(Array(Self.numbered(number..<number + 1).utf8)) }
        #expect(lines.byteCount <= 70)
        // 8 lines of 8 bytes are left.
        #expect(Self.rest(&lines) == "17 lines were dropped because nobody read them\n" + Self.numbered(17..<25))
        #expect(lines.isEmpty)
    }

    @Test("A line that was begun is finished before it is said what is missing after it")
    func begun() {
        var lines = OutputLines(limit: 40)
        lines.append(Array("first line\n".utf8))
        #expect(lines.next() == Array("first line\n".utf8))
        lines.wrote(3)
        for number in 0..<10 { lines.append(Array(Self.numbered(number..<number + 1).utf8)) }
        let text = Self.rest(&lines)
        #expect(text == "st line\n6 lines were dropped because nobody read them\n" + Self.numbered(6..<10))
    }

    @Test("Of a state only the latest waits, unless lines came after it")
    func replacing() {
        var lines = OutputLines()
        lines.append(Array("10%\r".utf8), isReplaceable: true)
        lines.append(Array("20%\r".utf8), isReplaceable: true, replacing: true)
        lines.append(Array("line\n".utf8))
        lines.append(Array("30%\r".utf8), isReplaceable: true, replacing: true)
        #expect(Self.rest(&lines) == "20%\rline\n30%\r")
    }

    @Test("The newest line stays, whatever its length, and so does what may not be dropped")
    func kept() {
        var lines = OutputLines(limit: 4)
        lines.append(Array("a\n".utf8))
        lines.append(Array("longer than the limit\n".utf8))
        #expect(Self.rest(&lines) == "1 line was dropped because nobody read them\nlonger than the limit\n")
        for text in ["abc\n", "def\n"] { lines.append(Array(text.utf8), mayDrop: false) }
        #expect(Self.rest(&lines) == "abc\ndef\n")
    }

    private static func rest(_ lines: inout OutputLines) -> String {
        var bytes: [UInt8] = []
        while !lines.isEmpty {
            let next = lines.next()
            bytes += next
            lines.wrote(next.count)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: The thread

    @Test("A reader who reads gets everything, on both streams in the order in which it was said")
    func order() {
        let pipe = Pipe()
        let writer = OutputWriter(output: pipe.writeEnd, errors: pipe.writeEnd)
        var expected = ""
        let reader = Reader(pipe.readEnd)
        for number in 0..<5000 {
            let line = "line \(number) \(String(repeating: "x", count: number % 50))\n"
            writer.put(line, to: number % 3 == 0 ? .errors : .output)
            expected += line
            // Room is not what is tested.
            if number % 500 == 0 { writer.drain(patience: .seconds(30)) }
        }
        #expect(writer.drain(patience: .seconds(30)))
        close(pipe.writeEnd)
        #expect(reader.text() == expected)
    }

    @Test(
        "Who says something does not wait for a reader who has stopped, and the newest lines are there when that one goes on"
    )
    func stopped() {
        let pipe = Pipe()
        let writer = OutputWriter(output: pipe.writeEnd, errors: pipe.writeEnd, limit: 1000)
        // Far more than a pipe holds.
        for number in 0..<100_000 { writer.put(Self.numbered(number..<number + 1), to: .output) }
        #expect(!writer.drain(patience: .milliseconds(50)))
        let reader = Reader(pipe.readEnd)
        #expect(writer.drain(patience: .seconds(30)))
        close(pipe.writeEnd)
        let lines = reader.text().split(separator: "\n").map(String.init)
        #expect(lines.last == "line 99999")
        let gaps = lines.indices.filter { lines[$0].hasSuffix("dropped because nobody read them") }
        #expect(!gaps.isEmpty)
        let dropped = gaps.reduce(0) { $0 + Int(lines[$1].prefix { $0.isNumber })! }
        #expect(lines.count - gaps.count + dropped == 100_000)
    }

    @Test("What nobody reads of one stream does not hold up the other")
    func otherStream() {
        let (stuck, read) = (Pipe(), Pipe())
        let writer = OutputWriter(output: stuck.writeEnd, errors: read.writeEnd)
        writer.put(String(repeating: "x", count: 200_000) + "\n", to: .output)
        writer.put("an error\n", to: .errors)
        #expect(!writer.drain(patience: .milliseconds(100)))
        #expect(read.text() == "an error\n")
        // The pipe of `stuck` stays open: the writer's thread is still in it, and would write to whatever gets its number.
    }

    /// Reads on a thread until the end.
    private final class Reader: @unchecked Sendable {
        private var bytes: [UInt8] = []
        private var thread: SystemThread?

        init(_ descriptor: Int32) {
            thread = SystemThread { [self] in
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                while true {
                    let count = read(descriptor, &buffer, buffer.count)
                    guard count > 0 else { break }
                    bytes += buffer[..<count]
                }
                close(descriptor)
            }
        }

        func text() -> String {
            thread?.join()
            thread = nil
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
