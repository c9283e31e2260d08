/// This process's part in a job: its communicator, and the watch over everybody.
///
/// ```swift
/// let connection = try JobConnection.join(options, environment: environment) { note($0) }
/// … connection.communicator …
/// connection.leave()
/// ```
public final class JobConnection {
    /// What carries the messages of a job.
    public enum Transport: String, Sendable, CaseIterable {
        /// MPI under its launcher where it is built in, else TCP.
        case auto
        case none
        case tcp
        case mpi
    }

    public struct Options: Sendable {
        public var transport: Transport
        public var allReduce: Communicator.AllReduce
        /// Name, address or network of an interface; empty for the one that leads to rank 0.
        public var interface: String
        /// Content of a file of hosts; nil for none.
        public var hostfile: String?
        /// How long ranks wait for each other at the start, and how long one may stand still.
        public var timeout: Duration
        /// Of the program: ranks of another one are turned away.
        public var version: String

        public init(
            transport: Transport,
            allReduce: Communicator.AllReduce = .ring,
            interface: String = "",
            hostfile: String? = nil,
            timeout: Duration = .seconds(60),
            version: String
        ) {
            self.transport = transport
            self.allReduce = allReduce
            self.interface = interface
            self.hostfile = hostfile
            self.timeout = timeout
            self.version = version
        }
    }

    public let communicator: Communicator
    /// How ranks reach each other, such as `tcp, eth0 (10.0.0.5)`; nil for one rank.
    public let route: String?
    private let control: ControlPlane?

    private init(_ communicator: Communicator, control: ControlPlane?, route: String?) {
        self.communicator = communicator
        self.control = control
        self.route = route
    }

    /// This rank, for messages: `rank 2 (node7)`.
    public var member: Member { communicator.members[communicator.rank] }

    // MARK: Joining

    /// Joins the job that the environment speaks of, when all its ranks have come; a process alone is a job of one.
    ///
    /// - Parameters:
    ///   - watchdog: what to do when the job has failed; it ends the process.
    ///   - note: told of what a user should know.
    /// - Throws: `CollectiveError`.
    public static func join(
        _ options: Options,
        environment: [String: String],
        watchdog: Watchdog = .ofProgram(),
        note: @escaping (String) -> Void
    ) throws -> JobConnection {
        guard options.transport != .none,
            let place = try JobPlace.read(environment: environment, hostfile: options.hostfile)
        else {
            if options.transport == .mpi, !MPILibrary.isBuiltIn { throw CollectiveError.usage(MPILibrary.installation) }
            return JobConnection(Communicator(single: LocalNames.host), control: nil, route: nil)
        }
        let joining = Joining(options: options, place: place, environment: environment, watchdog: watchdog, note: note)
        let usesMPI = options.transport == .mpi || options.transport == .auto && joining.canUseMPI
        return try usesMPI ? joining.overMPI() : joining.overTCP()
    }

    private struct Joining {
        let options: Options
        let place: JobPlace
        let environment: [String: String]
        let watchdog: Watchdog
        let note: (String) -> Void

        /// Under mpirun, and under a launcher that speaks PMIx: without it, MPI would end the process.
        var canUseMPI: Bool {
            guard MPILibrary.isBuiltIn else { return false }
            return place.launcher == .openMPI || place.launcher == .slurm && environment["PMIX_NAMESPACE"] != nil
        }

        func overTCP() throws -> JobConnection {
            let rendezvous = rendezvous(try JobSecret.of(environment: environment), wantsRing: true)
            let listeners = place.rank == 0 ? try rendezvous.listen(environment: environment) : []
            let meeting = try rendezvous.meet(listeners: listeners)
            guard let ring = meeting.ring else { preconditionFailure("a meeting without a ring") }
            let (rank, worldSize) = (place.rank, place.worldSize)
            let thread = CommunicationThread {
                TCPTransport(next: ring.next, previous: ring.previous, rank: rank, worldSize: worldSize)
            }
            return connection(meeting, thread, name: "tcp")
        }

        /// MPI carries the messages; the control connections are TCP's, over addresses and with a secret that MPI brings.
        func overMPI() throws -> JobConnection {
            let thread = CommunicationThread { MPITransport(try MPIWorld.start()) }
            let (place, environment, timeout) = (place, environment, options.timeout)
            func world<Value>(_ body: @escaping (MPIWorld) throws -> Value) throws -> Value {
                try thread.perform { transport in
                    guard let transport = transport as? MPITransport else { preconditionFailure("no MPI") }
                    return try body(transport.world)
                }
            }
            try world { try $0.check(place, environment: environment) }
            let secretText = JobSecret.randomText()
            let listeners =
                place.rank == 0 ? try rendezvous(JobSecret(secretText), wantsRing: false).listenAnywhere() : []
            let addresses = listeners.compactMap(\.localAddress).map { "\($0.host) \($0.port)" }
            let own = ([secretText] + addresses).joined(separator: "\n")
            let told = try world { try $0.broadcast(Array(own.utf8), timeout: timeout) }
            let lines = String(decoding: told, as: UTF8.self).split(separator: "\n")
            let candidates = lines.dropFirst().compactMap { line -> SocketAddress? in
                let parts = line.split(separator: " ")
                guard parts.count == 2, let port = UInt16(parts[1]) else { return nil }
                return SocketAddress(numeric: String(parts[0]), port: port)
            }
            let rendezvous = rendezvous(JobSecret(String(lines.first ?? "")), wantsRing: false)
            let meeting = try rendezvous.meet(listeners: listeners, candidates: candidates)
            return connection(meeting, thread, name: "mpi")
        }

        private func rendezvous(_ secret: JobSecret, wantsRing: Bool) -> Rendezvous {
            Rendezvous(
                place: place,
                secret: secret,
                version: options.version,
                interface: options.interface,
                timeout: options.timeout,
                wantsRing: wantsRing,
                note: note
            )
        }

        private func connection(_ meeting: Meeting, _ thread: CommunicationThread, name: String) -> JobConnection {
            let board = ProgressBoard()
            let (rank, members) = (place.rank, meeting.members)
            let control = ControlPlane(
                rank: rank,
                members: members,
                peers: meeting.control,
                board: board,
                timeout: options.timeout,
                watchdog: watchdog
            )
            thread.onFailure { error in
                switch error as? TransportError {
                case .closed(let peer, let reason)?:
                    CollectiveError.failed(control.suspect(peer: peer, reason: reason))
                case .corrupt(let peer, let reason)?:
                    CollectiveError.failed(
                        control.report(
                            Failure(culprit: "the link from \(members[peer]) to \(members[rank])", reason: reason)
                        )
                    )
                case .aborted?, nil:
                    CollectiveError.failed(control.report(Failure(culprit: "\(members[rank])", reason: "\(error)")))
                }
            }
            let communicator = Communicator(
                rank: rank,
                members: members,
                board: board,
                allReduce: options.allReduce,
                thread: thread
            )
            return JobConnection(communicator, control: control, route: "\(name), \(meeting.route)")
        }
    }

    // MARK: Leaving

    /// Ends in good order, when all ranks do.
    ///
    /// - Throws: `CollectiveError.failed` when something failed in between.
    public func leave() throws {
        guard let control else { return }
        if let failure = control.leave() { throw CollectiveError.failed(failure) }
        communicator.end()
    }

    /// Tells all ranks that this one has to end because of `reason`, and leaves the process with the exit code; returns where
    /// the watchdog does not end the process, and in a job of one.
    public func fail(_ reason: String, exitCode: Int32) {
        control?.report(Failure(culprit: "\(member)", reason: reason), exitCode: exitCode)
    }
}
