/// Which rank of which job a process is, as its launcher says by environment variables.
public struct JobPlace: Equatable, Sendable {
    /// Who started the ranks; raw values are for messages.
    public enum Launcher: String, Sendable {
        /// RANK, WORLD_SIZE and others, as torchrun and `ddp-train launch` set them.
        case variables = "RANK and WORLD_SIZE"
        /// Open MPI's variables, OMPI_COMM_WORLD_RANK and others.
        case openMPI = "mpirun"
        /// Variables of a Slurm step.
        case slurm = "srun"
        /// PMI_RANK and PMI_SIZE, as MPICH sets them.
        case pmi = "PMI"
        /// No variables: the hosts of a file, one of which is this machine.
        case hostfile = "--hostfile"
    }

    /// Who says all this.
    public var launcher: Launcher
    /// From 0, below `worldSize`.
    public var rank: Int
    /// Ranks of the job, at least 1.
    public var worldSize: Int
    /// Ranks on this machine, where the launcher says it.
    public var localWorldSize: Int?
    /// Where rank 0 is to be met: a name or an address; nil when only MPI can tell.
    public var masterAddress: String?
    /// The TCP port of rank 0: MASTER_PORT, else torchrun's or one that follows from the job's id.
    public var masterPort: UInt16
    /// What tells this job from others on the same machines.
    public var jobID: String

    /// The port of torchrun.
    static let usualPort: UInt16 = 29500
    /// More than any cluster of CPUs has; a larger number is a mistake.
    static let mostRanks = 65536

    /// - Parameters:
    ///   - hostfile: content of the file of hosts, if one was given.
    ///   - isOwn: whether a name or an address is this machine's, as far as the machine itself knows.
    ///   - resolvesToOwn: whether a name is one for an address of this machine.
    /// - Returns: nil when no launcher speaks of a job; one that started a single process gives a job of one.
    /// - Throws: `CollectiveError.usage` that names the variable or line, and the mend.
    public static func read(
        environment: [String: String],
        hostfile: String? = nil,
        isOwn: (String) -> Bool = LocalNames.isOwn,
        resolvesToOwn: (String) -> Bool = LocalNames.resolvesToOwn
    ) throws -> JobPlace? {
        let hosts = try hostfile.map(parse) ?? []
        let reader = Reader(environment: environment, hosts: hosts)
        if let place = try reader.variables() ?? reader.openMPI() ?? reader.slurm() ?? reader.pmi() { return place }
        return hosts.count > 1 ? try reader.byHost(isOwn, resolvesToOwn) : nil
    }

    /// A rank's host in a hostfile.
    private struct Host {
        let name: String
        /// From 1.
        let line: Int
    }

    /// The first words of the lines: `host` or `host slots=1`, with comments after `#`.
    private static func parse(_ text: String) throws -> [Host] {
        var hosts: [Host] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard let host = words.first.map({ withoutBrackets(String($0)) }) else { continue }
            var slots = 1
            for word in words.dropFirst() {
                let pair = word.split(separator: "=")
                guard pair.count == 2, pair[0] == "slots", let count = Int(pair[1]), count >= 1 else {
                    throw CollectiveError.usage(
                        "hostfile, line \(number + 1): \(word) is not understood: write \"\(host) slots=1\""
                    )
                }
                slots = count
            }
            hosts += [Host](repeating: Host(name: host, line: number + 1), count: slots)
        }
        guard !hosts.isEmpty else {
            throw CollectiveError.usage("the hostfile names no host: write one a line, rank 0's first")
        }
        return hosts
    }

    private struct Reader {
        let environment: [String: String]
        let hosts: [Host]

        func variables() throws -> JobPlace? {
            guard let (rank, size) = try pair("RANK", "WORLD_SIZE") else { return nil }
            try checkForLeak(rank, size)
            return try place(
                .variables,
                rank,
                size,
                local: number("LOCAL_WORLD_SIZE"),
                job: environment["DDP_TRAIN_JOB_ID"] ?? environment["TORCHELASTIC_RUN_ID"],
                fallbackPort: JobPlace.usualPort
            )
        }

        /// What a shell exports reaches every process that a launcher starts from it, and each would take itself for the same rank.
        /// A launcher of ours or torchrun's, itself started by another one, sets the variables on purpose, and so may a script.
        private func checkForLeak(_ rank: Int, _ size: Int) throws {
            guard environment["DDP_TRAIN_PARENT_FD"] == nil, environment["TORCHELASTIC_RUN_ID"] == nil,
                let (launcher, process, count) = launchedProcess(),
                (0..<size).contains(rank), (0..<count).contains(process), max(size, count) <= JobPlace.mostRanks,
                !isDealt(rank, size, to: process, of: count)
            else { return }
            throw CollectiveError.usage(
                "RANK=\(rank) and WORLD_SIZE=\(size) are set, and \(launcher) says process \(process) of \(count): every process "
                    + "that \(launcher) starts has the RANK of your shell; start with env -u RANK -u WORLD_SIZE \(launcher) …, or "
                    + "set RANK in each process"
            )
        }

        /// Which of its processes a launcher says that this is, by its own variables.
        private func launchedProcess() -> (launcher: String, process: Int, count: Int)? {
            if let (process, count) = try? pair("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE") {
                return ("mpirun", process, count)
            }
            // srun sets those of PMI, too.
            if let (process, count) = try? slurmTask() { return ("srun", process, count) }
            return (try? pair("PMI_RANK", "PMI_SIZE")).map { ("mpiexec", $0.0, $0.1) }
        }

        /// Whether a rank can be one that a script gives itself in this process of a launcher. A job of more ranks than the
        /// launcher has processes has several ranks in each, or in several launchers: in blocks, or dealt in turn. All other ranks
        /// are the process's number.
        private func isDealt(_ rank: Int, _ size: Int, to process: Int, of count: Int) -> Bool {
            guard size > count else { return rank == process }
            if rank % count == process || rank * count / size == process { return true }
            // Blocks of any lengths: this one begins where the process's first rank is.
            guard let text = environment["LOCAL_RANK"], let local = Int(text), (0...rank).contains(local) else {
                return false
            }
            let first = rank - local
            return first >= process && (first == 0) == (process == 0)
        }

        func openMPI() throws -> JobPlace? {
            guard let (rank, size) = try pair("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE") else { return nil }
            let job = environment["PMIX_NAMESPACE"] ?? environment["OMPI_MCA_ess_base_jobid"]
            return try place(.openMPI, rank, size, local: number("OMPI_COMM_WORLD_LOCAL_SIZE"), job: job)
        }

        /// Only a step of srun has one process a task; the batch script itself sees some of these variables too.
        private func slurmTask() throws -> (Int, Int)? {
            guard environment["SLURM_STEP_ID"] != nil, environment["SLURM_PROCID"] != nil,
                let (rank, size) = try pair("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", else: "SLURM_NTASKS")
            else { return nil }
            // An interactive shell in an allocation is such a step too.
            return size > 1 ? (rank, size) : nil
        }

        func slurm() throws -> JobPlace? {
            guard let (rank, size) = try slurmTask() else { return nil }
            let nodes = environment["SLURM_STEP_NODELIST"] ?? environment["SLURM_JOB_NODELIST"]
            let job = environment["SLURM_JOB_ID"].map { "\($0).\(environment["SLURM_STEP_ID"] ?? "")" }
            let count = try number("SLURM_STEP_NUM_NODES") ?? number("SLURM_NNODES")
            return try place(
                .slurm,
                rank,
                size,
                local: count == 1 ? size : nil,
                job: job,
                first: nodes.flatMap(JobPlace.firstHost)
            )
        }

        func pmi() throws -> JobPlace? {
            guard let (rank, size) = try pair("PMI_RANK", "PMI_SIZE") else {
                guard let port = environment["PMI_PORT"] else { return nil }
                throw CollectiveError.usage(
                    "PMI_PORT=\(port) is set without PMI_RANK, so nothing says which rank this is: start the ranks without "
                        + "mpiexec's -pmi-port, or set RANK and WORLD_SIZE"
                )
            }
            return try place(.pmi, rank, size, local: nil, job: environment["PMI_JOBID"])
        }

        /// The rank is the number of the line that names this machine.
        func byHost(_ isOwn: (String) -> Bool, _ resolvesToOwn: (String) -> Bool) throws -> JobPlace {
            let own = ownHosts(isOwn, resolvesToOwn)
            guard let rank = own.first else {
                throw CollectiveError.usage(
                    "the hostfile does not name this machine (\(LocalNames.host)), and none of its names leads to an address of it: "
                        + "add a line, or set RANK and WORLD_SIZE"
                )
            }
            guard own.count == 1 else {
                let lines = own.map { "line \(hosts[$0].line): \(hosts[$0].name)" }.joined(separator: ", ")
                throw CollectiveError.usage(
                    "the hostfile names this machine \(own.count) times (\(lines)): leave one, or set RANK and "
                        + "WORLD_SIZE=\(hosts.count) in each process"
                )
            }
            return try place(.hostfile, rank, hosts.count, local: 1, job: nil, fallbackPort: JobPlace.usualPort)
        }

        /// A look-up may take ten seconds where no server answers: what the machine knows by itself comes first, and once it is
        /// found, only so long is looked for a second name.
        private func ownHosts(_ isOwn: (String) -> Bool, _ resolvesToOwn: (String) -> Bool) -> [Int] {
            var own = hosts.indices.filter { isOwn(hosts[$0].name) }
            let start = ContinuousClock.now
            var known: [String: Bool] = [:]
            for index in hosts.indices where !own.contains(index) {
                guard own.isEmpty || .now - start < .seconds(2) else { break }
                let name = hosts[index].name
                let leadsHere = known[name] ?? resolvesToOwn(name)
                known[name] = leadsHere
                if leadsHere { own.append(index) }
            }
            return own.sorted()
        }

        private func place(
            _ launcher: Launcher,
            _ rank: Int,
            _ size: Int,
            local: Int?,
            job: String?,
            first: String? = nil,
            fallbackPort: UInt16? = nil
        ) throws -> JobPlace {
            guard size >= 1, (0..<size).contains(rank) else {
                throw CollectiveError.usage(
                    "\(launcher.rawValue) say rank \(rank) of \(size): ranks count from 0 and there is at least one"
                )
            }
            guard size <= JobPlace.mostRanks else {
                throw CollectiveError.usage(
                    "\(launcher.rawValue) say \(size) ranks: a job has at most \(JobPlace.mostRanks)"
                )
            }
            if let local, !(1...size).contains(local) {
                let name = launcher == .openMPI ? "OMPI_COMM_WORLD_LOCAL_SIZE" : "LOCAL_WORLD_SIZE"
                throw CollectiveError.usage(
                    "\(name)=\(local): must be from 1 to the number of all ranks, which is \(size)"
                )
            }
            let port = try number("MASTER_PORT")
            if let port, !(1...65535).contains(port) {
                throw CollectiveError.usage("MASTER_PORT=\(port): must be from 1 to 65535")
            }
            let given = environment["MASTER_ADDR"].flatMap { $0.isEmpty ? nil : JobPlace.withoutBrackets($0) }
            let address = given ?? (local == size ? "127.0.0.1" : hosts.first?.name ?? first)
            let jobID = job ?? ""
            return JobPlace(
                launcher: launcher,
                rank: rank,
                worldSize: size,
                localWorldSize: local,
                masterAddress: address,
                masterPort: port.map { UInt16($0) } ?? fallbackPort ?? JobPlace.port(ofJob: jobID),
                jobID: jobID
            )
        }

        private func pair(_ rank: String, _ size: String, else other: String? = nil) throws -> (Int, Int)? {
            let first = try number(rank)
            let second = try number(size) ?? other.flatMap { try number($0) }
            switch (first, second) {
            case (nil, nil): return nil
            case (let first?, let second?): return (first, second)
            case (nil, let second?):
                throw CollectiveError.usage("\(size)=\(second) is set and \(rank) is not: set both, or neither")
            case (let first?, nil):
                throw CollectiveError.usage("\(rank)=\(first) is set and \(size) is not: set both, or neither")
            }
        }

        private func number(_ name: String) throws -> Int? {
            guard let text = environment[name], !text.isEmpty else { return nil }
            guard let value = Int(text), value >= 0 else {
                throw CollectiveError.usage("\(name)=\(text): must be a whole number")
            }
            return value
        }
    }

    /// An IPv6 address may be written as in a URL: `[::1]`.
    private static func withoutBrackets(_ address: String) -> String {
        address.hasPrefix("[") && address.hasSuffix("]") ? String(address.dropFirst().dropLast()) : address
    }

    /// A port that all ranks of a job find alike (FNV-1a of its name); another job most likely has another. Below those that
    /// systems give to connections, from 32768 on: one of them could be taken, or lead a rank to itself.
    static func port(ofJob id: String) -> UInt16 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return 20000 + UInt16(hash % 12000)
    }

    /// The first host of Slurm's form: `node[03-05,9],other` is node03.
    static func firstHost(_ list: String) -> String? {
        guard let open = list.firstIndex(of: "["), !list[..<open].contains(",") else {
            return list.split(separator: ",").first.map { String($0) }
        }
        let prefix = list[..<open]
        let inner = list[list.index(after: open)...]
        let number = inner.prefix { $0.isNumber }
        // The rest may have brackets of its own: `rack[1-2]n[3,4]` begins with rack1n3.
        let rest = inner.drop { $0 != "]" }.dropFirst()
        return number.isEmpty ? nil : firstHost("\(prefix)\(number)\(rest)")
    }
}
