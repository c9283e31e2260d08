import Formats
import Foundation
import Platform
import Training

/// A line of `checkpoint list`.
struct CheckpointEntry {
    let folder: String
    /// `best`, `latest`, or both.
    let names: [String]
    /// Nil when its state cannot be read.
    let state: CheckpointState?
    let problem: String?
    let bytes: Int
    /// Seconds since 1970.
    let saved: Int?

    init(folder: String, names: [String]) {
        self.folder = folder
        self.names = names
        do {
            state = try Checkpoint(folder: folder).state
            problem = nil
        } catch {
            state = nil
            problem = "\(error)"
        }
        let files = (try? FileSystem.names(inFolder: folder)) ?? []
        bytes = files.reduce(0) { $0 + ((try? FileSystem.size(ofFile: folder + "/" + $1)) ?? 0) }
        saved = try? FileSystem.modificationSeconds(of: folder)
    }

    /// In this machine's time, to the second.
    var savedText: String {
        guard let saved else { return "unknown" }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.dateFormat = "yyyy-MM-dd HH:mm:ss"
        return format.string(from: Date(timeIntervalSince1970: Double(saved)))
    }

    var json: JSONValue {
        .object([
            .init("folder", .string(folder)),
            .init("iteration", state.map { .integer($0.iteration) } ?? .null),
            .init("val_loss", state?.validationLoss.map { .number($0) } ?? .null),
            .init("bytes", .integer(bytes)),
            .init("saved_seconds", saved.map { .integer($0) } ?? .null),
            .init("names", .array(names.map { .string($0) })),
            .init("problem", problem.map { .string($0) } ?? .null),
        ])
    }

    static func table(_ entries: [CheckpointEntry]) -> String {
        var rows = [["iteration", "val loss", "size", "saved", ""]]
        for entry in entries {
            let loss = entry.state?.validationLoss.map { String(format: "%.4f", $0) } ?? "-"
            let remark = ([entry.names.joined(separator: ", ")] + [entry.problem ?? ""]).filter { !$0.isEmpty }
            rows.append([
                entry.state.map { "\($0.iteration)" } ?? "?", loss, ByteCount.text(entry.bytes), entry.savedText,
                remark.joined(separator: "; "),
            ])
        }
        let widths = (0..<4).map { column in rows.map { $0[column].count }.max()! + (column > 0 ? 2 : 0) }
        return rows.map { row in
            let cells = zip(row, widths).map { (text: $0, width: $1) }
            return TextTable.line(cells + [(text: "  " + row[4], width: 0)]) + "\n"
        }.joined()
    }
}

extension CheckpointDifference {
    var text: String {
        guard !isEmpty else { return "the same to the bit: \(comparedTensors) tensors, state and options\n" }
        var text = TextTable.facts(facts.map { ($0.name, "\($0.first ?? "-") | \($0.second ?? "-")") })
        for shape in shapes {
            let sides = [shape.first, shape.second].map { $0.map { "\($0)" } ?? "not there" }
            text += "\(shape.name): \(sides[0]) | \(sides[1])\n"
        }
        text += "tensors: \(tensors.count) of \(comparedTensors) differ\n"
        if !tensors.isEmpty {
            text += TextTable.facts(
                tensors.map { tensor in
                    let figures = String(format: "largest %.3g, relative %.3g", tensor.largest, tensor.relative)
                    return ("  " + tensor.name, "\(figures), \(tensor.differing) elements of \(tensor.shape)")
                }
            )
        }
        return text
    }

    var json: JSONValue {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        func sizes(_ shape: [Int]?) -> JSONValue { shape.map { .array($0.map { .integer($0) }) } ?? .null }
        func number(_ value: Double) -> JSONValue { value.isFinite ? .number(value) : .null }
        func pair(_ name: String, _ first: JSONValue, _ second: JSONValue) -> JSONValue {
            .object([.init("name", .string(name)), .init("first", first), .init("second", second)])
        }
        return .object([
            .init("same", .bool(isEmpty)),
            .init("facts", .array(facts.map { pair($0.name, text($0.first), text($0.second)) })),
            .init("shapes", .array(shapes.map { pair($0.name, sizes($0.first), sizes($0.second)) })),
            .init("compared_tensors", .integer(comparedTensors)),
            .init(
                "tensors",
                .array(
                    tensors.map {
                        .object([
                            .init("name", .string($0.name)), .init("shape", sizes($0.shape)),
                            .init("differing", .integer($0.differing)), .init("largest", number($0.largest)),
                            .init("relative", number($0.relative)),
                        ])
                    }
                )
            ),
        ])
    }
}
