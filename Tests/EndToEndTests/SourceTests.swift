import Foundation
import Testing

/// Rules for the source text itself.
@Suite("Source text")
struct SourceTests {
    private static let longest = 60

    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The text of each file below a folder of the repository whose name ends so, by its path from the root.
    private static func texts(below folder: String, endings: Set<String>) throws -> [(path: String, text: String)] {
        let files = try #require(
            FileManager.default.enumerator(at: root.appendingPathComponent(folder), includingPropertiesForKeys: nil)
        )
        return try files.compactMap { $0 as? URL }.filter { endings.contains($0.pathExtension) }.map { file in
            let path = file.path.dropFirst(root.path.count).drop { $0 == "/" }
            return (String(path), try String(contentsOf: file, encoding: .utf8))
        }
    }

    @Test("no function is longer than 60 lines")
    func lengths() throws {
        for (path, text) in try Self.texts(below: "Sources", endings: ["swift", "c", "h", "inc"]) {
            let functions = path.hasSuffix(".swift") ? SourceFunction.ofSwift(text) : SourceFunction.ofC(text)
            for function in functions {
                #expect(
                    function.length <= Self.longest,
                    "\(path):\(function.line): \(function.name) has \(function.length) lines"
                )
            }
        }
    }

    @Test("The model can be read in one sitting: 900 lines, with no packing and no experiment")
    func modelLines() throws {
        let texts = try Self.texts(below: "Sources/Transformer/Model", endings: ["swift"])
        let lines = texts.reduce(0) { $0 + $1.text.split(separator: "\n", omittingEmptySubsequences: false).count - 1 }
        #expect(lines <= 900, "\(lines) lines")
        for (path, text) in texts {
            for word in [
                "pack", "Kernels.standard", "hasSuffix", "removedHeads", "causalMask", "attentionWindow", "arena.",
            ] {
                #expect(!text.contains(word), "\(path) contains \(word)")
            }
        }
    }

    @Test("only Platform asks which C library there is", arguments: ["Sources", "Tests"])
    func cLibrary(folder: String) throws {
        for (path, text) in try Self.texts(below: folder, endings: ["swift"])
        where !path.hasPrefix("Sources/Platform/") {
            let named = text.firstMatch(of: /canImport\((Glibc|Musl|Darwin)\)|\n *import (Glibc|Musl|Darwin)\n/)
            #expect(named == nil, "\(path): \(named?.output.0 ?? ""); import Platform instead")
        }
    }

    // MARK: - The measure itself

    @Test("functions, initializers and accessors are measured from their first line to their last")
    func swiftFunctions() {
        let text = """
            struct Example: Equatable {
                var stored = 1
                var computed: Int {
                    get {
                        stored
                    }
                    set { stored = newValue }
                }
                static let made: [Int] = {
                    []
                }()
                static let table = [
                    1,
                ]

                @inlinable
                public static func several(
                    _ a: Int = 1,
                    _ b: () -> Void = {}
                ) throws -> Int where Int: Equatable {
                    func inner() -> Int {
                        1
                    }
                    return inner()
                }

                private init?(
                    text: String
                ) {
                    return nil
                }
                func short() { stored += 1 }
                subscript(index: Int) -> Int {
                    index
                }
                deinit {
                }
            }
            protocol Shape {
                func required(
                    _ a: Int
                ) throws
                func other() -> Int
            }
            """
        let found = SourceFunction.ofSwift(text).map { "\($0.name) \($0.line) \($0.length)" }
        #expect(
            found == [
                "computed 3 6", "get 4 3", "made 9 3", "several 17 9", "inner 21 3", "init 27 5", "subscript 33 3",
                "deinit 36 2",
            ]
        )
    }

    @Test("C functions are measured likewise, and tables are no functions")
    func cFunctions() {
        let text = """
            struct pair {
                int a;
            };
            static int table[] = {
                1,
            };
            int one(int a) { return a; }
            MADE(one, two)
            static void
            two(int a,
                int b) {
                if (a) {
                    b++;
                }
            }
            """
        #expect(SourceFunction.ofC(text).map { "\($0.name) \($0.line) \($0.length)" } == ["two 10 6"])
    }
}

/// Where a function stands in a file. What has its whole body on one line is left out.
private struct SourceFunction {
    let name: String
    /// From 1.
    let line: Int
    /// Lines from that one to the closing brace.
    let length: Int

    /// Functions, initializers, subscripts, accessors, and closures that make a property's value. Found by the layout that
    /// .swift-format enforces: a body ends at the first brace as far to the left as its declaration.
    static func ofSwift(_ text: String) -> [SourceFunction] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.indices.compactMap { start in
            guard let name = declaredName(lines[start]), let open = opening(of: start, in: lines) else { return nil }
            return function(name, start, open: open, lines)
        }
    }

    /// Functions at the left edge.
    static func ofC(_ text: String) -> [SourceFunction] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.indices.compactMap { start in
            guard let first = lines[start].first, first.isLetter || first == "_",
                let match = lines[start].firstMatch(of: /(\w+)\(/),
                let open = lines[start...].firstIndex(where: { $0.isEmpty || "{};".contains($0.last!) }),
                lines[open].hasSuffix(") {"), lines[start...open].dropFirst().allSatisfy({ $0.first == " " })
            else { return nil }
            return function(String(match.1), start, open: open, lines)
        }
    }

    private static func function(_ name: String, _ start: Int, open: Int, _ lines: [Substring]) -> SourceFunction? {
        let end = lines[(open + 1)...].firstIndex {
            $0.hasPrefix(lines[start].prefix { $0 == " " } + "}")
        }
        return end.map { SourceFunction(name: name, line: start + 1, length: $0 - start + 1) }
    }

    private static func indentation(_ line: Substring) -> Int { line.prefix { $0 == " " }.count }

    /// What a line declares that may have a body: a keyword after attributes and modifiers, and the name after that.
    private static func declaredName(_ line: Substring) -> String? {
        let keywords: Set = ["func", "var", "let", "init", "deinit", "subscript", "get", "set", "willSet", "didSet"]
        let modifiers: Set = [
            "public", "package", "internal", "private", "fileprivate", "open", "static", "class", "final", "override",
            "mutating", "nonmutating", "convenience", "required", "lazy", "nonisolated", "unowned", "weak",
        ]
        var words = line.split(separator: " ")[...]
        while let word = words.first, word.hasPrefix("@") || modifiers.contains(Self.word(word)) { words.removeFirst() }
        guard let first = words.first, keywords.contains(Self.word(first)) else { return nil }
        let keyword = Self.word(first)
        let isNamed = ["func", "var", "let"].contains(keyword)
        // A stored property has no body, but a closure may make its value.
        if keyword == "var" || keyword == "let", !line.hasSuffix("{") { return nil }
        return isNamed ? words.dropFirst().first.map { Self.word($0) } : keyword
    }

    /// Up to what is no part of a name.
    private static func word(_ text: Substring) -> String {
        let name = text.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "`" }
        return name.isEmpty ? String(text.prefix { !"(<".contains($0) }) : String(name)
    }

    /// The line whose brace opens the body; nil where there is no body, or all of it is on that line.
    private static func opening(of start: Int, in lines: [Substring]) -> Int? {
        let left = indentation(lines[start])
        for line in lines.indices[start...] {
            if indentation(lines[line]) == left {
                if lines[line].hasSuffix("{") { return line }
                if lines[line].contains("{"), lines[line].hasSuffix("}") { return nil }
            }
            let isContinued = [")", "where", "{", "throws", "->"].contains { lines[line].dropFirst(left).hasPrefix($0) }
            if line > start, lines[line].isEmpty || indentation(lines[line]) <= left && !isContinued { return nil }
        }
        return nil
    }
}
