import Formats
import Platform

/// One thing that a build or a machine has or lacks.
package struct Finding: Equatable, Sendable {
    /// Whether something is to be done.
    package enum State: String, Sendable {
        case fine
        /// Not there, and not needed for everything; `advice` says for what and how to have it.
        case missing
        /// Training cannot work, or not as it should, before this is mended.
        case broken
    }

    /// The member of the JSON object.
    package var key: String
    /// What was looked at, the first column for people.
    package var title: String
    /// For people.
    package var text: String
    /// For programs.
    package var value: JSONValue
    /// `fine` unless it is told otherwise.
    package var state: State
    /// What to do; nil where nothing is to be done.
    package var advice: String?

    /// Without a `value`, programs get the text.
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

/// What `ddp-train doctor` found.
package struct DoctorReport: Equatable, Sendable {
    /// In the order in which they are shown.
    package var findings: [Finding]

    /// Keys are to be distinct, as each is a member of `json`.
    package init(_ findings: [Finding]) {
        self.findings = findings
    }

    /// Whether nothing that is needed is broken.
    package var isFine: Bool { !findings.contains { $0.state == .broken } }

    /// A line for each finding, with advice under those that lack something.
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

    /// One object: a member a finding, then `problems` (what, state and advice of those that are not fine) and `ok`.
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
