import Platform

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
        /// One rank, whatever the environment says.
        case none
        /// Sockets between the ranks.
        case tcp
        /// MPI, or an error where it cannot be used.
        case mpi
    }

    /// How a process joins a job.
    public struct Options: Sendable {
        /// What is asked for; `auto` lets the launcher decide.
        public var transport: Transport
        /// How gradients are summed.
        public var allReduce: Communicator.AllReduce
        /// Name, address or network of an interface; empty for the one that leads to rank 0.
        public var interface: String
        /// Ports that this rank may listen on, besides rank 0's own.
        public var portRange: PortRange
        /// Content of a file of hosts; nil for none.
        public var hostfile: String?
        /// How long ranks wait at the start for those that have not come.
        public var meetTimeout: Duration
        /// How long a rank may stand still, or give no sign of life.
        public var timeout: Duration
        /// Of the program: ranks of another one are turned away.
        public var version: String
        /// What all ranks must have in common, by name. Over TCP, a rank with another value than rank 0's is turned away while the
        /// ranks meet; a name that one of them leaves out is not compared.
        public var shared: [(name: String, value: String)]
        /// Whether the job is there to compare all the ways in which it can sum: `JobConnection.routes`.
        public var comparesRoutes: Bool

        /// The defaults are those of the options of a run.
        public init(
            transport: Transport,
            allReduce: Communicator.AllReduce = .ring,
            interface: String = "",
            portRange: PortRange = .standard,
            hostfile: String? = nil,
            meetTimeout: Duration = .seconds(300),
            timeout: Duration = .seconds(60),
            version: String,
            shared: [(name: String, value: String)] = [],
            comparesRoutes: Bool = false
        ) {
            self.transport = transport
            self.allReduce = allReduce
            self.interface = interface
            self.portRange = portRange
            self.hostfile = hostfile
            self.meetTimeout = meetTimeout
            self.timeout = timeout
            self.version = version
            self.shared = shared
            self.comparesRoutes = comparesRoutes
        }
    }

    /// A transport, and how it sums.
    public struct Route {
        /// Never `auto`.
        public let transport: Transport
        /// The algorithm on it.
        public let allReduce: Communicator.AllReduce
        /// Sums over this way.
        public let communicator: Communicator
    }

    /// Over the transport and with the sum that were asked for.
    public let communicator: Communicator
    /// How ranks reach each other, such as `tcp, eth0 (10.0.0.5)`; nil for one rank.
    public let route: String?
    /// All the ways in which the ranks can sum, that of `communicator` first; empty unless they are to be compared.
    public let routes: [Route]
    private let control: ControlPlane?

    private init(
        _ communicator: Communicator,
        control: ControlPlane? = nil,
        route: String? = nil,
        routes: [Route] = []
    ) {
        self.communicator = communicator
        self.control = control
        self.route = route
        self.routes = routes
    }

    /// This rank, for messages: `rank 2 (node7)`.
    public var member: Member { communicator.members[communicator.rank] }

    // MARK: Joining

    /// Joins the job that the environment speaks of, when all its ranks have come; a process alone is a job of one.
    ///
    /// - Parameters:
    ///   - stop: a wish of any rank that the job end reaches that of every other rank.
    ///   - watchdog: what to do when the job has failed; it ends the process.
    ///   - note: told of what a user should know.
    /// - Throws: `CollectiveError`.
    public static func join(
        _ options: Options,
        environment: [String: String],
        stop: StopRequest = StopRequest(),
        watchdog: Watchdog = .ofProgram(),
        note: @escaping @Sendable (String) -> Void
    ) throws -> JobConnection {
        let alone = Communicator(single: LocalNames.host)
        func ofOneRank() -> JobConnection {
            let control = ControlPlane(
                rank: 0,
                members: alone.members,
                peers: [],
                board: alone.board,
                timeout: options.timeout,
                watchdog: watchdog
            )
            return JobConnection(alone, control: control)
        }
        guard options.transport != .none else { return ofOneRank() }
        guard let place = try JobPlace.read(environment: environment, hostfile: options.hostfile) else {
            try checkAlone(options)
            return ofOneRank()
        }
        guard place.worldSize > 1 else { return ofOneRank() }
        let joining = Joining(
            options: options,
            place: place,
            environment: environment,
            stop: stop,
            watchdog: watchdog,
            note: note
        )
        let usesMPI = options.transport == .mpi || options.transport == .auto && joining.canUseMPI
        return try usesMPI ? joining.overMPI() : joining.overTCP()
    }

    /// Who names a transport does not mean to train alone.
    private static func checkAlone(_ options: Options) throws {
        switch options.transport {
        case .auto, .none: break
        case .mpi:
            throw CollectiveError.usage(
                MPILibrary.isBuiltIn
                    ? "--backend=mpi, and this process was not started by MPI: mpirun -np 4 ddp-train …; one process "
                        + "alone needs no backend"
                    : "--backend=mpi, and this build has no MPI: \(MPILibrary.installation)"
            )
        case .tcp:
            throw CollectiveError.usage(
                "--backend=tcp, and nothing tells which rank this process is: ddp-train launch -n 4 …, RANK and "
                    + "WORLD_SIZE, or a --hostfile with several hosts; one process alone needs no backend"
            )
        }
    }

    private struct Joining {
        let options: Options
        let place: JobPlace
        let environment: [String: String]
        let stop: StopRequest
        let watchdog: Watchdog
        let note: @Sendable (String) -> Void
        let board = ProgressBoard()

        /// Under mpirun, and under a launcher that speaks PMIx: without it, MPI would end the process.
        var canUseMPI: Bool {
            guard MPILibrary.isBuiltIn else { return false }
            return place.launcher == .openMPI || place.launcher == .slurm && environment["PMIX_NAMESPACE"] != nil
        }

        func overTCP() throws -> JobConnection {
            // One rank's notice is enough.
            let secret = try JobSecret.of(environment: environment) { if place.rank == 0 { note($0) } }
            let rendezvous = rendezvous(secret, wantsRing: true, shared: options.shared)
            let listeners = place.rank == 0 ? try rendezvous.listen(environment: environment) : []
            let meeting = try rendezvous.meet(listeners: listeners)
            guard let ring = meeting.ring else { preconditionFailure("a meeting without a ring") }
            return connection(meeting, .tcp, ringThread(ring))
        }

        /// MPI carries the messages; the control connections are TCP's, over addresses and with a secret that MPI brings.
        func overMPI() throws -> JobConnection {
            let notice = WaitingNotice(
                "waiting for all ranks to come over MPI",
                after: Rendezvous.quietWait,
                note: note
            )
            defer { notice.end() }
            let thread = CommunicationThread { MPITransport(try MPIWorld.start()) }
            let (place, environment, timeout) = (place, environment, options.meetTimeout)
            func world<Value>(_ body: @escaping (MPIWorld) throws -> Value) throws -> Value {
                try thread.perform { transport in
                    guard let transport = transport as? MPITransport else { preconditionFailure("no MPI") }
                    return try body(transport.world)
                }
            }
            try world { try $0.check(place, environment: environment) }
            let secretText = JobSecret.randomText()
            let listeners =
                place.rank == 0 ? try rendezvous(JobSecret(secretText), wantsRing: comparesTCP).listenAnywhere() : []
            let addresses = listeners.compactMap(\.localAddress).map { "\($0.host) \($0.port)" }
            let own = ([secretText] + addresses).joined(separator: "\n")
            let told = try world { try $0.broadcast(Array(own.utf8), timeout: timeout) }
            notice.end()
            let lines = String(decoding: told, as: UTF8.self).split(separator: "\n")
            let candidates = lines.dropFirst().compactMap { line -> SocketAddress? in
                let parts = line.split(separator: " ")
                guard parts.count == 2, let port = UInt16(parts[1]) else { return nil }
                return SocketAddress(numeric: String(parts[0]), port: port)
            }
            let secret = JobSecret(String(lines.first ?? ""))
            let meeting = try rendezvous(secret, wantsRing: comparesTCP).meet(
                listeners: listeners,
                candidates: candidates
            )
            return connection(meeting, .mpi, thread)
        }

        /// A ring over TCP beside MPI's.
        private var comparesTCP: Bool { options.comparesRoutes && options.transport == .auto }

        private func ringThread(_ ring: (next: Int32, previous: Int32)) -> CommunicationThread {
            let (rank, worldSize, board, timeout) = (place.rank, place.worldSize, board, options.timeout)
            return CommunicationThread {
                TCPTransport(
                    next: ring.next,
                    previous: ring.previous,
                    rank: rank,
                    worldSize: worldSize,
                    board: board,
                    timeout: timeout
                )
            }
        }

        /// - Parameter shared: nothing under MPI, whose launcher holds the job together.
        private func rendezvous(
            _ secret: JobSecret,
            wantsRing: Bool,
            shared: [(name: String, value: String)] = []
        ) -> Rendezvous {
            Rendezvous(
                place: place,
                secret: secret,
                version: options.version,
                options: SharedOptions(shared),
                interface: options.interface,
                ports: options.portRange,
                meetTimeout: options.meetTimeout,
                timeout: options.timeout,
                wantsRing: wantsRing,
                note: note
            )
        }

        /// - Parameter thread: what the job's own communicator uses.
        private func connection(
            _ meeting: Meeting,
            _ transport: Transport,
            _ thread: CommunicationThread
        ) -> JobConnection {
            let control = ControlPlane(
                rank: place.rank,
                members: meeting.members,
                peers: meeting.control,
                board: board,
                timeout: options.timeout,
                stop: stop,
                watchdog: watchdog
            )
            let rank = place.rank
            func route(
                _ transport: Transport,
                _ allReduce: Communicator.AllReduce,
                _ thread: CommunicationThread
            ) -> Route {
                thread.onFailure { Self.explain($0, control, meeting.members[rank], meeting.members) }
                let communicator = Communicator(
                    rank: rank,
                    members: meeting.members,
                    board: board,
                    allReduce: allReduce,
                    thread: thread
                )
                return Route(transport: transport, allReduce: allReduce, communicator: communicator)
            }
            let own = route(transport, options.allReduce, thread)
            var routes = [own]
            if options.comparesRoutes, transport == .mpi {
                routes.append(route(.mpi, options.allReduce == .ring ? .native : .ring, thread))
                if comparesTCP, let ring = meeting.ring { routes.append(route(.tcp, .ring, ringThread(ring))) }
            }
            return JobConnection(
                own.communicator,
                control: control,
                route: "\(transport.rawValue), \(meeting.route)",
                routes: options.comparesRoutes ? routes : []
            )
        }

        /// What a transport noticed, told to all ranks; the error for who waits here.
        private static func explain(
            _ error: any Error,
            _ control: ControlPlane,
            _ own: Member,
            _ members: [Member]
        ) -> any Error {
            let failure =
                switch error as? TransportError {
                case .closed(let peer, let reason)?: control.suspect(peer: peer, reason: reason)
                case .corrupt(let peer, let reason)?:
                    control.report(Failure(culprit: "the link from \(members[peer]) to \(own)", reason: reason))
                case .aborted?, nil: control.report(Failure(culprit: "\(own)", reason: "\(error)"))
                }
            return CollectiveError.failed(failure)
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
        for route in routes { route.communicator.end() }
    }

    /// Tells all ranks that this one has to end because of `reason`, and leaves the process with the exit code; returns where
    /// the watchdog does not end the process, and in a job of one.
    public func fail(_ reason: String, exitCode: Int32) {
        guard communicator.worldSize > 1 else { return }
        control?.report(Failure(culprit: "\(member)", reason: reason), exitCode: exitCode)
    }
}
