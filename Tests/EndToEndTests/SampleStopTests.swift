import Foundation
import TestSupport
import Testing

@testable import ddp_train

/// `sample --stop`: where samples end, and what of them is written.
@Suite struct SampleStopTests {
    @Test(
        "A text is cut at the first text to stop at, in whatever pieces it comes",
        arguments: [
            ("one two three", ["two"], "one "), ("one two three", ["four"], "one two three"), ("aaab", ["aab"], "a"),
            ("ababac", ["abac"], "ab"), ("xabc", ["b", "abc"], "xa"), ("xabc", ["abc", "bc"], "x"),
            ("ab", ["abc"], "ab"),
            ("abab", ["abc"], "abab"), ("stop", ["stop"], ""), ("é\u{301}è", ["\u{301}"], "é"), ("", ["a"], ""),
            ("a\n\nb", ["\n\n"], "a"), ("a\nb", [], "a\nb"),
        ]
    )
    func cut(text: String, stops: [String], expected: String) {
        let bytes = Array(text.utf8)
        for size in 1...max(1, bytes.count) {
            var stopTexts = StopTexts(stops.map { Array($0.utf8) })
            var written: [UInt8] = []
            var isStopped = false
            var place = 0
            while place < bytes.count, !isStopped {
                let piece = bytes[place..<min(place + size, bytes.count)]
                let added = stopTexts.add(Array(piece))
                written += added.text
                isStopped = added.isStopped
                place += piece.count
                // What is written is never taken back.
                #expect(Array(expected.utf8).starts(with: written), "pieces of \(size)")
            }
            written += stopTexts.rest
            #expect(String(decoding: written, as: UTF8.self) == expected, "pieces of \(size)")
        }
    }

    @Test("Each sample ends where one of the texts occurs after the start, without it")
    func samples() throws {
        let program = try TrainedRun.shared.get().program
        let options = ["sample", "--num_samples=3", "--max_new_tokens=80", "--start=The "]
        func samples(_ arguments: [String]) throws -> [String] {
            let result = try program.start(options + arguments).wait()
            #expect(result.exitCode == 0, "\(result)")
            let texts = result.output.components(separatedBy: "---------------\n")
            #expect(texts.allSatisfy { $0.hasPrefix("The ") && $0.hasSuffix("\n") })
            return texts.map { String($0.dropFirst(4).dropLast()) }
        }
        let whole = try samples([])
        #expect(whole.count == 3)
        // Of two characters, so of two tokens of a vocabulary of characters; "The " itself does not count.
        for stops in [[String(whole[1].dropFirst(20).prefix(2))], [String(whole[2].prefix(1)), "e "], ["The "]] {
            let expected = whole.map { text in
                stops.compactMap { text.range(of: $0, options: .literal)?.lowerBound }.min().map { String(text[..<$0]) }
                    ?? text
            }
            #expect(try samples(stops.map { "--stop=\($0)" }) == expected, "\(stops)")
        }
        #expect(try samples(["--stop", "\\n"]) == whole.map { $0.components(separatedBy: "\n")[0] })
        let empty = try program.start(options + ["--stop="]).wait()
        #expect(empty.exitCode == 64)
        #expect(empty.errors == "ddp-train: error: stop is empty: leave it out where no text ends a sample\n")
    }
}
