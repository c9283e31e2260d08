import Foundation
import Platform
import TestSupport
import Testing

@testable import Configuration

/// Configuration files with one construct each, and the table of what each must give.
@Suite struct ConfigurationCasesTests {
    /// What expected.tsv says, a row for each file beside it.
    private static let rows: [(file: String, expected: String)] = {
        let text = (try? String(contentsOfFile: Fixtures.path("cases/configs/expected.tsv"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let fields = line.split(separator: "\t")
            return (String(fields[0]), String(fields[1]))
        }
    }()

    @Test("The table has every file")
    func files() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Fixtures.path("cases/configs"))
        #expect(Set(files.filter { $0.hasSuffix(".py") }) == Set(Self.rows.map(\.file)))
        #expect(Self.rows.count == 77)
    }

    @Test("Constructs that are read give their values, and a notice where one is due", arguments: rows)
    func read(file: String, expected: String) throws {
        guard !expected.hasPrefix("refused") else { return }
        let content = try ConfigurationFile.content(path: Fixtures.path("cases/configs/\(file)"))
        var values: [String: String] = [:]
        for word in expected.split(whereSeparator: { ", ".contains($0) }) where word.contains("=") {
            let parts = word.split(separator: "=")
            values[String(parts[0])] = String(parts[1])
        }
        let settings = content.settings.filter { !$0.key.name.hasPrefix("wandb_") }
        #expect(Set(settings.map(\.key.name)) == Set(values.keys))
        var resolved = ResolvedConfiguration(TrainingConfiguration())
        for setting in settings {
            let value = try #require(values[setting.key.name])
            // Not every machine computes in this type.
            guard value != "bfloat16" else {
                #expect(setting.text == "\"bfloat16\"")
                continue
            }
            try resolved.apply(setting)
        }
        for (name, value) in values where value != "bfloat16" {
            let found = try #require(ConfigurationKey.named(name)).argument(in: resolved.values)
            let isEqual = Double(value).map { abs((Double(found) ?? .nan) - $0) <= 1e-12 * $0 } ?? (found == value)
            #expect(isEqual, "\(name) is \(found)")
        }
        #expect(content.notices.isEmpty == !expected.contains("notice"), "\(content.notices)")
        if expected.contains("tokens_a_pass") { #expect(content.notices.contains { $0.contains("tokens_a_pass") }) }
    }

    @Test("Constructs that are refused say the line and why", arguments: rows)
    func refused(file: String, expected: String) throws {
        guard expected.hasPrefix("refused") else { return }
        let path = Fixtures.path("cases/configs/\(file)")
        let error = #expect(throws: UserError.self) { try ConfigurationSources(files: [path]).resolve() }
        let message = try #require(error?.message)
        #expect(error?.kind == .usage)
        #expect(message.contains("\(path), line "))
        #expect(message.contains(try #require(Self.reasons[file])), "\(message)")
    }

    @Test("Whatever a file holds, it is read or refused in one line", arguments: rows.map(\.file))
    func damaged(file: String) throws {
        let text = try String(contentsOfFile: Fixtures.path("cases/configs/\(file)"), encoding: .utf8)
        let pieces = "\"'\\(){}[]=,.:;#\n\r*/%-+0e1xfr_ n\u{E9}".unicodeScalars.map { $0 }
        var random = CounterNumbers(seed: UInt64(text.utf8.count))
        for _ in 0..<60 {
            var scalars = Array(text.unicodeScalars)
            for _ in 0..<3 {
                let place = random.next(below: scalars.count + 1)
                switch random.next(below: 3) {
                case 0: scalars.insert(pieces[random.next(below: pieces.count)], at: place)
                case 1 where place < scalars.count: scalars.remove(at: place)
                default: scalars.insert(contentsOf: scalars[(place / 2)..<place], at: place)
                }
            }
            let changed = String(String.UnicodeScalarView(scalars))
            do {
                _ = try ConfigurationFile.content(text: changed, path: file)
            } catch let error as UserError {
                #expect(error.kind == .usage && !error.message.contains("\n"), "\(error.message)")
            }
        }
    }

    /// Numbers that are the same in every test run (Steele and others, 2014: SplitMix).
    private struct CounterNumbers {
        var state: UInt64
        init(seed: UInt64) { state = seed }

        mutating func next(below bound: Int) -> Int {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return Int((value ^ (value >> 31)) % UInt64(bound))
        }
    }

    private static let reasons = [
        "augmented.py": "line 2: max_iters *= 2: *= changes an earlier value; write the result, as max_iters = value",
        "backend_nccl.py": "line 1): nccl belongs to PyTorch; must be auto, none, tcp or mpi",
        "device_cuda.py": "this program computes on CPUs", "device_cuda1.py": "this program computes on CPUs",
        "dict_value.py": "line 1: unknown key extra",
        "dtype_expr.py": "conditions are not evaluated; write the value itself, such as dtype = \"float32\"",
        "exec_open.py": "exec is not run; write the values that it would set",
        "float_frac_int.py": "line 1): must be a whole number",
        "if_block.py": "line 2: if big: conditions are not evaluated; write the assignments that should hold",
        "list_value.py": "line 1: unknown key tags", "meta_vocab.py": "unknown key meta_vocab_size",
        "nbsp.py": "the character U+00A0 (no-break space)", "negative.py": "line 1): must be at least 0",
        "none_other.py": "line 1): must be text that is not empty", "real_form_own_key.py": "unknown key my_own_switch",
        "shift.py": "<< is not evaluated at this place; write the value itself, such as block_size = 1024",
        "tuple_betas.py": "line 1: unknown key betas", "unknown_key.py": "line 1: unknown key gpu_count",
        "vocab_size.py": "unknown key vocab_size",
    ]
}
