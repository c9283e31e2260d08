extension MPIWorld {
    /// Compares what MPI says with what the launcher's variables say: they differ when the launcher belongs to another MPI
    /// than the one linked, and every process then believes to be alone.
    ///
    /// - Throws: `CollectiveError.usage` with both, and the mend.
    func check(_ place: JobPlace, environment: [String: String]) throws {
        if worldSize != place.worldSize {
            throw CollectiveError.usage(
                Self.difference(
                    place,
                    worldSize: worldSize,
                    library: MPILibrary.version ?? "MPI",
                    environment: environment
                )
            )
        }
        guard rank == place.rank else {
            throw CollectiveError.usage(
                "\(place.launcher.rawValue) says rank \(place.rank) and MPI says rank \(rank): "
                    + "under mpirun leave RANK and WORLD_SIZE unset, or use --backend=tcp"
            )
        }
    }

    static func difference(
        _ place: JobPlace,
        worldSize: Int,
        library: String,
        environment: [String: String]
    ) -> String {
        let told = "\(worldSize) \(worldSize == 1 ? "rank" : "ranks") to the linked MPI (\(library))"
        switch place.launcher {
        case .variables, .hostfile:
            return "\(place.launcher.rawValue) says \(place.worldSize) ranks, but there is \(told): "
                + "start with mpirun -np \(place.worldSize), or use --backend=tcp"
        case .slurm:
            return "srun started \(place.worldSize) ranks, but there is \(told): "
                + "srun --mpi=pmix lets them meet where Slurm has it, else use --backend=tcp"
        case .openMPI, .pmi:
            let path = path(ofLauncher: environment).map { " (\($0))" } ?? ""
            return "the launcher\(path) started \(place.worldSize) ranks, but there is \(told): "
                + "the launcher belongs to another MPI; start with the mpirun of \(library), or swift build again with "
                + "PKG_CONFIG_PATH at the launcher's MPI, or use --backend=tcp"
        }
    }

    /// A shell leaves the path of what it starts in `_`, and launchers pass it on.
    private static func path(ofLauncher environment: [String: String]) -> String? {
        guard let path = environment["_"], let name = path.split(separator: "/").last else { return nil }
        return ["mpirun", "mpiexec", "orterun", "prterun"].contains { name.hasPrefix($0) } ? path : nil
    }
}
