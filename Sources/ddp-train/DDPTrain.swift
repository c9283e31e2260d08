import ArgumentParser

@main
struct DDPTrain: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ddp-train")
}
