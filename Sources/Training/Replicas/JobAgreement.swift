import Collectives
import Configuration
import Platform

/// What all ranks of a job must have in common before they train together: options and the program.
struct JobAgreement {
    private let facts: [(name: String, value: String)]

    init(_ configuration: ResolvedConfiguration, version: String) {
        facts = configuration.jobOptions + [("the version of ddp-train", version)]
    }

    /// Compares the facts of all ranks.
    ///
    /// - Throws: `JobError` of kind usage that names the first fact which differs, both values and both
    ///   ranks; `CollectiveError.failed`.
    func check(_ communicator: Communicator) throws {
        let text = facts.map { "\($0.name)\u{0}\($0.value)" }.joined(separator: "\u{1}")
        let all = try communicator.allGather(message: Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
        guard let other = all.firstIndex(where: { $0 != all[0] }) else { return }
        let (mine, theirs) = (Self.pairs(all[0]), Self.pairs(all[other]))
        for (first, second) in zip(mine, theirs) where first != second {
            throw communicator.common(
                UserError(
                    .usage,
                    """
                    \(first.name) differs between the ranks of this job: \(Self.shown(first.value)) on \
                    \(communicator.members[0]), \(Self.shown(second.value)) on \(communicator.members[other]); start all \
                    ranks with the same options and program
                    """
                )
            )
        }
        throw communicator.common(
            UserError(
                .usage,
                """
                \(communicator.members[0]) and \(communicator.members[other]) know different options: use one version of \
                ddp-train
                """
            )
        )
    }

    private static func pairs(_ text: String) -> [(name: String, value: String)] {
        text.split(separator: "\u{1}").map { pair in
            let parts = pair.split(separator: "\u{0}", omittingEmptySubsequences: false)
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
    }

    private static func shown(_ value: String) -> String { value.isEmpty ? "nothing" : value }
}
