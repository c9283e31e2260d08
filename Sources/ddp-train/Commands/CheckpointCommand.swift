import ArgumentParser
import Formats
import Platform
import Training

/// `ddp-train checkpoint`: what was saved, and whether it is whole.
struct CheckpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint",
        abstract: "List, verify, show or compare checkpoints.",
        discussion: """
              ddp-train checkpoint list out
              ddp-train checkpoint verify out
              ddp-train checkpoint show out --which=latest
              ddp-train checkpoint diff out/checkpoints/best out/checkpoints/latest

            A path is a run's folder, or that of one checkpoint.
            """,
        subcommands: [CheckpointList.self, CheckpointVerify.self, CheckpointShow.self, CheckpointDiff.self]
    )
}

/// A run or a checkpoint.
struct CheckpointPath: ParsableArguments {
    @Argument(help: ArgumentHelp("A run's folder, or a checkpoint.", valueName: "path"), completion: .directory)
    var path = "out"

    func open() throws -> CheckpointPlace { try CheckpointPlace(path) }
}

/// `ddp-train checkpoint list`
struct CheckpointList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the checkpoints of a run, the oldest first, without reading what they hold."
    )

    @OptionGroup var place: CheckpointPath

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let entries = try CheckpointList.entries(place.open())
        guard !json else {
            return try Console.output(
                JSONValue.object([.init("checkpoints", .array(entries.map(\.json)))]).text() + "\n"
            )
        }
        guard !entries.isEmpty else { throw UserError(.inputOutput, "\(place.path) has no checkpoint yet") }
        try Console.output(CheckpointEntry.table(entries))
    }

    static func entries(_ place: CheckpointPlace) throws -> [CheckpointEntry] {
        var linked: [String: [String]] = [:]
        if case .run(let store) = place {
            for which in CheckpointStore.Which.allCases
            where FileSystem.kind(of: store.folder + "/" + which.rawValue) == .folder {
                guard let folder = try? store.open(which).folder else { continue }
                linked[FileSystem.lastComponent(of: folder), default: []].append(which.rawValue)
            }
        }
        return try place.folders().map { folder in
            CheckpointEntry(folder: folder, names: linked[FileSystem.lastComponent(of: folder)] ?? [])
        }
    }
}

/// `ddp-train checkpoint verify`
struct CheckpointVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Compare every file of a checkpoint, or of all of a run's, with the hash that was saved with it.",
        discussion: "Ends with code 65 when one is damaged."
    )

    @OptionGroup var place: CheckpointPath

    func run() throws {
        let folders = try place.open().folders()
        guard !folders.isEmpty else { throw UserError(.inputOutput, "\(place.path) has no checkpoint yet") }
        var damaged = 0
        for folder in folders {
            do {
                let checkpoint = try Checkpoint(folder: folder).verify()
                try Console.output("\(folder): whole, iteration \(checkpoint.state.iteration)\n")
            } catch let error as UserError where error.kind == .data || folders.count > 1 {
                // A run that is going on removes its older ones.
                guard FileSystem.kind(of: folder) != nil else { continue }
                damaged += 1
                if folders.count > 1 { Console.note("\(folder): \(error.message)") } else { throw error }
            }
        }
        guard damaged == 0 else {
            throw UserError(
                .data,
                """
                \(damaged) of \(folders.count) checkpoints in \(place.path) are damaged; --init_from=resume goes on from the \
                newest that is whole
                """
            )
        }
    }
}

/// `ddp-train checkpoint show`
struct CheckpointShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show what a checkpoint is: iteration, losses, shape, data, options."
    )

    @OptionGroup var place: CheckpointPath

    @Option(help: "Which checkpoint of a run.")
    var which = CheckpointStore.Which.best

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let checkpoint = try place.open().checkpoint(which)
        let entry = CheckpointEntry(folder: checkpoint.folder, names: [])
        guard !json else { return try Console.output(checkpoint.description.text() + "\n") }
        let facts = [
            ("checkpoint", checkpoint.folder), ("saved", entry.savedText), ("size", ByteCount.text(entry.bytes)),
        ]
        try Console.output(TextTable.facts(facts + checkpoint.state.facts.map { ($0.name, $0.value) }))
    }
}

/// `ddp-train checkpoint diff`
struct CheckpointDiff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compare two checkpoints: state, options with an effect on the numbers, parameters and moments.",
        discussion: "Ends with code 0 when they are the same to the bit, with 1 when they differ."
    )

    @Argument(help: ArgumentHelp("A run's folder, or a checkpoint.", valueName: "first"), completion: .directory)
    var first: String

    @Argument(help: ArgumentHelp("Another one.", valueName: "second"), completion: .directory)
    var second: String

    @Option(help: "Which checkpoint of a run.")
    var which = CheckpointStore.Which.best

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let difference = try CheckpointDifference(
            CheckpointPlace(first).checkpoint(which),
            CheckpointPlace(second).checkpoint(which)
        )
        try Console.output(json ? difference.json.text() + "\n" : difference.text)
        if !difference.isEmpty { throw ExitCode(1) }
    }
}
