import Testing

@testable import Collectives

@Suite("Place in a job")
struct JobPlaceTests {
    private func read(
        _ text: String,
        hostfile: String? = nil,
        own: String = "",
        aliases: Set<String> = []
    ) throws -> JobPlace? {
        let pairs = text.split(separator: " ").map {
            $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        }
        let environment = Dictionary(uniqueKeysWithValues: pairs.map { (String($0[0]), String($0[1])) })
        return try JobPlace.read(environment: environment, hostfile: hostfile) {
            $0 == own
        } resolvesToOwn: {
            aliases.contains($0)
        }
    }

    private func message(
        _ text: String,
        hostfile: String? = nil,
        own: String = "",
        aliases: Set<String> = []
    ) -> String? {
        do {
            _ = try read(text, hostfile: hostfile, own: own, aliases: aliases)
            return nil
        } catch CollectiveError.usage(let line) { return line } catch { return "not a usage error: \(error)" }
    }

    @Test(
        "A process alone has no place",
        arguments: [
            "", "RANK= WORLD_SIZE=",
            // The batch script of a job, not a step of srun.
            "SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_JOB_ID=7",
            // An interactive shell in an allocation.
            "SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_NTASKS=1",
            "MASTER_ADDR=10.0.0.1 MASTER_PORT=4000",
        ]
    )
    func alone(environment: String) throws { #expect(try read(environment) == nil) }

    @Test(
        "One process of a launcher is a job of one",
        arguments: ["WORLD_SIZE=1 RANK=0", "OMPI_COMM_WORLD_SIZE=1 OMPI_COMM_WORLD_RANK=0", "PMI_SIZE=1 PMI_RANK=0"]
    )
    func jobOfOne(environment: String) throws { #expect(try read(environment)?.worldSize == 1) }

    @Test(
        "Launchers' variables",
        arguments: [
            ("RANK=1 WORLD_SIZE=4 MASTER_ADDR=10.0.0.1", JobPlace.Launcher.variables, 1, 4, "10.0.0.1"),
            ("RANK=1 WORLD_SIZE=4 LOCAL_WORLD_SIZE=4", .variables, 1, 4, "127.0.0.1"),
            ("RANK=1 WORLD_SIZE=4 LOCAL_WORLD_SIZE=2", .variables, 1, 4, nil),
            ("OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_SIZE=3", .openMPI, 2, 3, "127.0.0.1"),
            ("OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_SIZE=1", .openMPI, 2, 3, nil),
            (
                "SLURM_STEP_ID=0 SLURM_PROCID=3 SLURM_NTASKS=4 SLURM_NNODES=2 SLURM_STEP_NODELIST=node[03-05,9]",
                .slurm,
                3, 4, "node03"
            ),
            (
                "SLURM_STEP_ID=0 SLURM_PROCID=3 SLURM_NTASKS=4 SLURM_NNODES=1 SLURM_STEP_NODELIST=a", .slurm, 3, 4,
                "127.0.0.1"
            ),
            ("PMI_RANK=0 PMI_SIZE=2", .pmi, 0, 2, nil),
            // The first source that says something counts.
            ("RANK=0 WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2", .variables, 0, 2, nil),
            // Launchers within mpirun.
            (
                "RANK=0 WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=5 OMPI_COMM_WORLD_SIZE=6 DDP_TRAIN_PARENT_FD=3", .variables,
                0, 2,
                nil
            ),
            (
                "RANK=9 WORLD_SIZE=16 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 TORCHELASTIC_RUN_ID=a", .variables,
                9, 16,
                nil
            ),
            ("RANK=1 WORLD_SIZE=4 MASTER_ADDR=[::1]", .variables, 1, 4, "::1"),
        ] as [(String, JobPlace.Launcher, Int, Int, String?)]
    )
    func launchers(text: String, launcher: JobPlace.Launcher, rank: Int, size: Int, master: String?) throws {
        let place = try #require(try read(text))
        #expect(place.launcher == launcher)
        #expect(place.rank == rank)
        #expect(place.worldSize == size)
        #expect(place.masterAddress == master)
    }

    @Test(
        "What makes no sense is named with its value",
        arguments: [
            ("RANK=x WORLD_SIZE=4", ["RANK=x"]),
            ("RANK=-1 WORLD_SIZE=4", ["RANK=-1"]),
            ("RANK=4 WORLD_SIZE=4", ["rank 4 of 4"]),
            ("RANK=0 WORLD_SIZE=0", ["rank 0 of 0"]),
            ("RANK=3", ["RANK=3", "WORLD_SIZE"]),
            ("RANK=0 WORLD_SIZE=9999999999", ["9999999999 ranks", "at most 65536"]),
            // A shell's variables, in every rank of mpirun.
            (
                "RANK=0 WORLD_SIZE=1 OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=4",
                ["RANK=0 and WORLD_SIZE=1", "mpirun says process 2 of 4", "env -u RANK -u WORLD_SIZE mpirun"]
            ),
            ("RANK=0 WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", ["mpirun says process 1 of 2"]),
            ("RANK=0 WORLD_SIZE=8 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", ["RANK=0 and WORLD_SIZE=8"]),
            (
                "RANK=0 WORLD_SIZE=8 LOCAL_RANK=0 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2",
                ["RANK=0 and WORLD_SIZE=8"]
            ),
            (
                "RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2",
                ["RANK=5 and WORLD_SIZE=8"]
            ),
            (
                "RANK=0 WORLD_SIZE=1 PMI_RANK=1 PMI_SIZE=2",
                ["mpiexec says process 1 of 2", "env -u RANK -u WORLD_SIZE mpiexec"]
            ),
            // Set by the batch script for itself, where SLURM_PROCID is 0.
            (
                "RANK=0 WORLD_SIZE=4 SLURM_STEP_ID=0 SLURM_PROCID=2 SLURM_NTASKS=4",
                ["srun says process 2 of 4", "env -u RANK -u WORLD_SIZE srun"]
            ),
            ("PMI_ID=1 PMI_PORT=vm:38341", ["PMI_PORT=vm:38341", "-pmi-port"]),
            ("WORLD_SIZE=8", ["WORLD_SIZE=8", "RANK"]),
            ("OMPI_COMM_WORLD_RANK=1", ["OMPI_COMM_WORLD_RANK=1", "OMPI_COMM_WORLD_SIZE"]),
            ("PMI_SIZE=2", ["PMI_SIZE=2", "PMI_RANK"]),
            ("RANK=0 WORLD_SIZE=2 MASTER_PORT=70000", ["MASTER_PORT=70000", "65535"]),
            ("RANK=0 WORLD_SIZE=2 MASTER_PORT=0", ["MASTER_PORT=0"]),
            ("RANK=0 WORLD_SIZE=2 LOCAL_WORLD_SIZE=3", ["LOCAL_WORLD_SIZE=3"]),
            ("RANK=0 WORLD_SIZE=2 LOCAL_WORLD_SIZE=0", ["LOCAL_WORLD_SIZE=0"]),
        ]
    )
    func nonsense(text: String, parts: [String]) throws {
        let line = try #require(message(text))
        for part in parts { #expect(line.contains(part), "\(line)") }
        #expect(!line.contains("\n"))
    }

    @Test("Ports: as given, torchrun's, or one that the job's name decides")
    func ports() throws {
        #expect(try read("RANK=0 WORLD_SIZE=2 MASTER_PORT=4000")?.masterPort == 4000)
        #expect(try read("RANK=0 WORLD_SIZE=2")?.masterPort == 29500)
        let first = try read("PMI_RANK=0 PMI_SIZE=2 PMI_JOBID=a")?.masterPort
        #expect(try read("PMI_RANK=1 PMI_SIZE=2 PMI_JOBID=a PMI_ID=1")?.masterPort == first)
        #expect(try read("PMI_RANK=0 PMI_SIZE=2 PMI_JOBID=b")?.masterPort != first)
        // FNV-1a of nothing is its offset basis, 14695981039346656037; of "a" it is 12638187200555641996.
        #expect(JobPlace.port(ofJob: "") == 20000 + 4037)
        #expect(JobPlace.port(ofJob: "a") == 20000 + 1996)
        for job in 0..<1000 { #expect((20000..<32768).contains(JobPlace.port(ofJob: "\(job).0"))) }
    }

    @Test("Jobs are told apart")
    func jobs() throws {
        #expect(try read("RANK=0 WORLD_SIZE=2 DDP_TRAIN_JOB_ID=j")?.jobID == "j")
        #expect(try read("OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2 PMIX_NAMESPACE=55")?.jobID == "55")
        #expect(try read("SLURM_STEP_ID=1 SLURM_JOB_ID=9 SLURM_PROCID=0 SLURM_NTASKS=2")?.jobID == "9.1")
    }

    @Test(
        "The first host of Slurm's lists",
        arguments: [
            ("node1", "node1"), ("a,b[1-2]", "a"), ("node[03-05,9]", "node03"), ("node[9],x", "node9"),
            ("rack[1-2]n[3,4]", "rack1n3"), ("n[1-2].cluster,m", "n1.cluster"), ("n[01,3]-ib", "n01-ib"),
        ]
    )
    func slurmLists(list: String, first: String) { #expect(JobPlace.firstHost(list) == first) }

    @Test(
        "A script may give ranks to processes of a launcher as it likes, if it can be a job",
        arguments: [
            // A process each.
            ("RANK=1 WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", 1),
            // Four on each of two machines, in blocks and in turn.
            ("RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", 5),
            ("RANK=3 WORLD_SIZE=8 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2", 3),
            ("RANK=3 WORLD_SIZE=8 PMI_RANK=1 PMI_SIZE=2", 3),
            // Three on the first, five on the second.
            ("RANK=3 WORLD_SIZE=8 LOCAL_RANK=0 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", 3),
            // Two mpiruns with two processes each.
            ("RANK=3 WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", 3),
            ("RANK=2 WORLD_SIZE=3 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=1", 2),
            ("RANK=6 WORLD_SIZE=8 SLURM_STEP_ID=0 SLURM_PROCID=3 SLURM_NTASKS=4", 6),
            // Not a step.
            ("RANK=1 WORLD_SIZE=4 SLURM_PROCID=0 SLURM_NTASKS=4", 1),
        ]
    )
    func scripts(text: String, rank: Int) throws {
        #expect(try read(text)?.rank == rank)
        #expect(try read(text)?.launcher == .variables)
    }

    private let hostfile = "# ours\n10.0.0.1 slots=1\n\n10.0.0.2   # the second\n10.0.0.3\n"

    @Test("A hostfile's line that names this machine is its rank, and the first line is rank 0's", arguments: 0...2)
    func hostfileRanks(rank: Int) throws {
        let place = try #require(try read("", hostfile: hostfile, own: "10.0.0.\(rank + 1)"))
        #expect(place.launcher == .hostfile)
        #expect(place.rank == rank)
        #expect(place.worldSize == 3)
        #expect(place.masterAddress == "10.0.0.1")
    }

    @Test("A name that leads to an address of this machine is its own")
    func alias() throws {
        let names = "node1.cluster\nnode2-ib\n[fd00::3]"
        let place = try #require(try read("", hostfile: names, own: "node2", aliases: ["node2-ib"]))
        #expect(place.rank == 1)
        #expect(try read("", hostfile: names, own: "fd00::3")?.rank == 2)
        let twice = try #require(message("", hostfile: names + "\n\nnode2", own: "node2", aliases: ["node2-ib"]))
        #expect(twice.contains("names this machine 2 times (line 2: node2-ib, line 5: node2): leave one"), "\(twice)")
    }

    @Test("This machine is known by name, in capitals too, by address, and by what leads there")
    func ownNames() {
        #expect(LocalNames.isOwn(LocalNames.host.uppercased()))
        for address in ["127.0.0.1", "127.0.1.1", "localhost"] { #expect(LocalNames.isOwn(address), "\(address)") }
        for name in ["192.0.2.1", "node.invalid"] { #expect(!LocalNames.isOwn(name), "\(name)") }
        #expect(LocalNames.resolvesToOwn("localhost"))
        #expect(!LocalNames.resolvesToOwn("192.0.2.1"))
    }

    @Test("With variables a hostfile says only where rank 0 is")
    func hostfileAndVariables() throws {
        let place = try #require(try read("RANK=5 WORLD_SIZE=6", hostfile: "10.0.0.1 slots=6", own: "10.0.0.1"))
        #expect(place.rank == 5)
        #expect(place.masterAddress == "10.0.0.1")
    }

    @Test(
        "Hostfiles that cannot be used",
        arguments: [
            ("10.0.0.1\n10.0.0.2", "10.0.0.9", "does not name this machine"),
            ("10.0.0.1 slots=2\n10.0.0.2", "10.0.0.1", "set RANK and WORLD_SIZE=3"),
            ("10.0.0.1 slot=2", "10.0.0.1", "line 1: slot=2"),
            ("a\nb slots=0", "a", "line 2: slots=0"),
            ("a\nb slots=x", "a", "line 2: slots=x"),
            ("# nothing\n", "a", "names no host"),
        ]
    )
    func badHostfiles(text: String, own: String, part: String) throws {
        let line = try #require(message("", hostfile: text, own: own))
        #expect(line.contains(part), "\(line)")
    }
}
