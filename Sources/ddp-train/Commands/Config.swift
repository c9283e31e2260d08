import ArgumentParser
import Formats
import Training

/// `ddp-train config`: what a run with these files and options would be configured as.
struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the resolved configuration, with where each value comes from.",
        discussion: "The output is a configuration file: given back to train, it repeats the configuration."
    )

    @OptionGroup var arguments: ConfigurationArguments

    @Flag(help: "Print one JSON object: for every key its value and origin.")
    var json = false

    func run() throws {
        let resolved = try arguments.sources.resolve()
        for notice in resolved.notices { Console.note(notice) }
        try Console.output(json ? resolved.json.text() + "\n" : resolved.toml)
    }
}
