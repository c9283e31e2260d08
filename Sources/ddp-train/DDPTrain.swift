import ArgumentParser
import Collectives
import Compute
import Platform
import Supervision

@main
struct DDPTrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ddp-train",
        abstract: "Trains GPT language models on CPUs.",
        discussion: """
            Without a command, trains: "ddp-train" alone trains a small model on Shakespeare, or on a built-in corpus if \
            Shakespeare cannot be had. Options are named as nanoGPT's, and stand in files too (key = value).

              ddp-train --dataset=mine --n_layer=6 --max_iters=5_000
              ddp-train settings.toml --learning_rate=3e-4
              ddp-train --init_from=resume
              ddp-train sample --start="To be"

            Exit codes: 0 done; 64 wrong usage or configuration; 65 bad data or checkpoint; 69 a rank was lost or \
            the network failed; 74 input or output failed; 75 stopped by a signal after saving (go on with --init_from=resume); 1 anything else.
            """,
        version: Version.text,
        subcommands: [
            Train.self, Prepare.self, TokenizerCommand.self, Sample.self, Eval.self, Export.self,
            CheckpointCommand.self, Report.self, Inspect.self, ExperimentCommand.self, SelfTestCommand.self, Bench.self,
            Config.self, Plan.self, Doctor.self, Launch.self, Trace.self,
            BenchGenerate.self, BenchComm.self,
        ],
        defaultSubcommand: Train.self
    )

    static func main() {
        InheritedState.repair()
        ParentWatch.start()
        endProcess(run(ArgumentBytes.arguments()))
    }

    /// Parses and runs, and turns every error into one line on standard error.
    ///
    /// - Returns: the exit code.
    private static func run(_ arguments: [String]) -> Int32 {
        do {
            let normalized = try ArgumentNormalizer(OptionTable(of: self)).normalize(arguments)
            var command = try parseAsRoot(normalized)
            if let problem = Kernels.requestProblem ?? MatrixProducts.requestProblem {
                throw UserError(.usage, problem)
            }
            try command.run()
            return 0
        } catch let code as ExitCode {
            return code.rawValue
        } catch {
            if let end = ErrorEnd(error) {
                Console.error(end.message)
                return end.code
            }
            // Help and the version come as errors too.
            guard exitCode(for: error) != .success else {
                print(fullMessage(for: error))
                return 0
            }
            let isParsing = exitCode(for: error) == .validationFailure
            Console.error(ParserMessage.text(message(for: error)))
            return isParsing ? UserError.Kind.usage.rawValue : UserError.Kind.other.rawValue
        }
    }
}

/// How the process ends by an error of its own.
struct ErrorEnd {
    /// What the user is told.
    let message: String
    let code: Int32

    /// Nil for errors of other kinds.
    init?(_ error: any Error) {
        switch error {
        case let error as UserError: (message, code) = (error.message, error.kind.rawValue)
        case CollectiveError.usage(let text): (message, code) = (text, UserError.Kind.usage.rawValue)
        case CollectiveError.failed(let failure):
            (message, code) = (failure.description, UserError.Kind.network.rawValue)
        default: return nil
        }
    }
}

/// The C library's `exit`, which the parser's method of that name hides within commands.
private func endProcess(_ code: Int32) -> Never {
    exit(code)
}
