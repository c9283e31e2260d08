import ArgumentParser
import Collectives
import Configuration
import Platform
import Supervision
import Training

/// A command's part in the job that its launcher speaks of, and what becomes of its errors there.
struct RankJob {
    let connection: JobConnection
    /// Nobody waits for its readers.
    let output: RunOutput
    private let writer: OutputWriter

    var isMain: Bool { connection.communicator.isMain }

    /// - Parameters:
    ///   - configuration: how the ranks reach each other, and the options that all of them must have in common.
    ///   - command: what else they must have in common: which command they run, and with which arguments.
    ///   - stop: a wish of any rank that the job end reaches that of every other rank.
    ///   - comparesRoutes: whether the job is there to compare the ways in which it can sum.
    /// - Throws: `UserError`; `CollectiveError`.
    static func join(
        _ configuration: ResolvedConfiguration,
        as command: [(name: String, value: String)],
        stop: StopRequest = StopRequest(),
        comparesRoutes: Bool = false
    ) throws -> RankJob {
        let values = configuration.values
        let options = JobConnection.Options(
            transport: .init(values.backend),
            allReduce: .init(values.allReduce),
            interface: values.interface,
            portRange: values.portRange,
            hostfile: try hostfile(values),
            meetTimeout: .seconds(values.meetTimeout),
            timeout: .seconds(values.timeout),
            version: Version.program,
            shared: command + configuration.ownJobOptions,
            comparesRoutes: comparesRoutes
        )
        let writer = OutputWriter()
        let watchdog = Watchdog.ofProgram(
            saysStop: !ParentWatch.isUnderLauncher,
            note: { writer.put("\($0)\n", to: .errors) },
            beforeLast: { writer.drain(patience: .milliseconds(200)) }
        )
        do {
            let connection = try JobConnection.join(options, environment: environment, stop: stop, watchdog: watchdog) {
                writer.put("ddp-train: \($0)\n", to: .errors)
            }
            let rank = connection.communicator.rank
            let output =
                rank == 0
                ? RunOutput(.through(writer))
                : RunOutput(.notes(ofRank: rank, through: writer), linesGoToTerminal: false, saysProgress: false)
            output.onProgress = connection.communicator.board.worked
            return RankJob(connection: connection, output: output, writer: writer)
        } catch {
            writer.drain()
            throw error
        }
    }

    /// Reads files before the ranks meet, and prints a line at intervals if the storage does not answer.
    ///
    /// - Parameters:
    ///   - name: the name before each line.
    ///   - timeout: the time without progress after which a line is printed, in seconds.
    ///   - body: the work that reads files.
    /// - Throws: the error of `body`.
    static func watchingStorage<Result>(
        as name: String = "ddp-train",
        timeout: Double,
        _ body: () throws -> Result
    ) throws -> Result {
        let watch = try JobConnection.join(
            .init(transport: .none, timeout: .seconds(timeout), version: Version.program),
            environment: [:],
            watchdog: .ofProgram(name: name, note: Console.note),
            note: Console.note
        )
        defer { try? watch.leave() }
        return try watch.communicator.board.during(.openingDataset, nil, body)
    }

    /// Whether no launcher speaks of a job.
    ///
    /// - Throws: `UserError`; `CollectiveError.usage`.
    static func isAlone(_ values: TrainingConfiguration) throws -> Bool {
        try JobPlace.read(environment: environment, hostfile: hostfile(values)) == nil
    }

    private static var environment: [String: String] { ProcessEnvironment.variables }

    private static func hostfile(_ values: TrainingConfiguration) throws -> String? {
        values.hostfile.isEmpty ? nil : String(decoding: try FileSystem.read(values.hostfile), as: UTF8.self)
    }

    /// Runs the command's work, and leaves the job as it ended: in good order, or telling the others what happened. All that was
    /// said is written then, unless nobody reads it.
    ///
    /// - Throws: `ExitCode`, when the error of `body` was said, or what else it throws.
    func run<Result>(_ body: () throws -> Result) throws -> Result {
        defer { writer.drain() }
        do {
            return try runAndLeave(body)
        } catch {
            guard let end = ErrorEnd(error) else { throw error }
            writer.put(Console.errorLine(end.message) + "\n", to: .errors)
            throw ExitCode(end.code)
        }
    }

    private func runAndLeave<Result>(_ body: () throws -> Result) throws -> Result {
        let result: Result
        do {
            result = try body()
        } catch let error as JobError {
            // The others found the same.
            try connection.leave()
            throw isMain
                ? error.error : UserError(error.error.kind, "rank \(connection.communicator.rank): \(error.error)")
        } catch let code as ExitCode {
            try connection.leave()
            throw code
        } catch let error as UserError {
            connection.fail(error.message, exitCode: error.kind.rawValue)
            throw error
        }
        try connection.leave()
        return result
    }
}

extension JobConnection.Transport {
    fileprivate init(_ backend: Backend) {
        self =
            switch backend {
            case .auto: .auto
            case .none: .none
            case .tcp: .tcp
            case .mpi: .mpi
            }
    }
}

extension Communicator.AllReduce {
    fileprivate init(_ sum: GradientSum) {
        self =
            switch sum {
            case .ring: .ring
            case .native: .native
            }
    }
}
