import Formats
import Platform

/// The result of one check.
package struct Finding: Equatable, Sendable {
    package enum State: String, Sendable {
        case fine
        /// Missing or slow, but training works without it. `advice` says what it is needed for and how to get it.
        case missing
        /// Training does not work, or not correctly, until this is fixed.
        case broken
    }

    /// The name of the member in the JSON object.
    package var key: String
    /// The first column of the text report.
    package var title: String
    /// The second column of the text report.
    package var text: String
    /// The value in the JSON object.
    package var value: JSONValue
    package var state: State
    /// What to do; nil if nothing.
    package var advice: String?

    /// Without a `value`, the JSON object gets the text.
    package init(
        _ key: String,
        _ title: String,
        _ text: String,
        _ value: JSONValue? = nil,
        state: State = .fine,
        advice: String? = nil
    ) {
        self.key = key
        self.title = title
        self.text = text
        self.value = value ?? .string(text)
        self.state = state
        self.advice = advice
    }
}

/// The findings of `ddp-train doctor`.
package struct DoctorReport: Equatable, Sendable {
    /// In the order of the report.
    package var findings: [Finding]

    /// - Parameter findings: must have distinct keys, because each is a member of `json`.
    package init(_ findings: [Finding]) {
        self.findings = findings
    }

    /// Whether nothing is broken.
    package var isFine: Bool { !findings.contains { $0.state == .broken } }

    /// One line per finding, followed by its advice if it has one.
    package var text: String {
        var lines: [(String, String)] = []
        for finding in findings {
            lines.append((finding.title, finding.text))
            if let advice = finding.advice {
                lines.append(("", "-> \(finding.state == .broken ? "broken: " : "")\(advice)"))
            }
        }
        return TextTable.facts(lines)
    }

    /// A JSON object with one member per finding, `problems` (what, state and advice of the findings that are not fine)
    /// and `ok`.
    package var json: JSONValue {
        let problems = findings.filter { $0.state != .fine }.map { finding in
            JSONValue.object([
                .init("what", .string(finding.key)), .init("state", .string(finding.state.rawValue)),
                .init("advice", finding.advice.map { .string($0) } ?? .null),
            ])
        }
        return .object(
            findings.map { .init($0.key, $0.value) } + [
                .init("problems", .array(problems)), .init("ok", .bool(isFine)),
            ]
        )
    }
}
