/// What the ranks of one start find in their environment: who they are, and where and with which secret they meet.
struct RankEnvironment {
    /// The descriptor of a pipe that hangs up when the launcher is gone.
    static let parentDescriptor: Int32 = 3
    /// Rank 0's listening socket.
    static let listenDescriptor: Int32 = 4

    let port: UInt16
    /// 256 random bits: whoever knows them may join. In the environment, as arguments are visible to everyone.
    let secret = randomHexadecimal(digits: 64)
    /// Tells a rank of this start from one of another.
    let jobID = randomHexadecimal(digits: 16)

    func variables(rank: Int, of rankCount: Int, over inherited: [String: String]) -> [String: String] {
        var variables = inherited
        for (name, number) in [
            "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": rankCount, "LOCAL_WORLD_SIZE": rankCount,
        ] {
            variables[name] = String(number)
        }
        variables["MASTER_ADDR"] = "127.0.0.1"
        variables["MASTER_PORT"] = String(port)
        variables["DDP_TRAIN_SECRET"] = secret
        variables["DDP_TRAIN_SECRET_FILE"] = nil
        variables["DDP_TRAIN_JOB_ID"] = jobID
        variables[ParentWatch.variable] = String(Self.parentDescriptor)
        variables["DDP_TRAIN_LISTEN_FD"] = rank == 0 ? String(Self.listenDescriptor) : nil
        return variables
    }

    private static func randomHexadecimal(digits: Int) -> String {
        // The system's generator, which is meant for secrets.
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("0123456789abcdef")
        return String((0..<digits).map { _ in alphabet[Int.random(in: 0..<16, using: &generator)] })
    }
}
