import CVectorKernels

/// What the ranks of a job do together: sums, broadcasts, gathering, agreement. It knows bytes and floats, no models.
///
/// ```swift
/// communicator.startAllReduce(unsafe: gradients, range: bucket, owner: model)   // goes on beside what the caller computes
/// try communicator.wait()
/// ```
/// Every rank must call the same collectives in the same order; messages carry what they belong to, and ranks that are out of
/// step are told so. All calls come from one thread. A collective of one rank does nothing.
public final class Communicator {
    /// From 0, below `worldSize`.
    public let rank: Int
    /// All ranks, in order.
    public let members: [Member]
    /// Where this rank's threads write how far they are.
    public let board: ProgressBoard
    /// The iteration that messages carry.
    public var step = 0

    /// How long the caller has waited for collectives to be done, and so for other ranks, since the start.
    public private(set) var waited = Duration.zero
    /// How long collectives have gone on since the start, whether the caller waited for them or not.
    public var communicated: Duration { thread?.busy ?? .zero }

    /// Ends the waiting of this rank's threads with an error, from any thread.
    package var abort: () -> Void = {}

    private let thread: CommunicationThread?
    private let allReduce: AllReduce
    private let scratch: CollectiveMemory
    private var operations: UInt32 = 0

    /// How floats are summed.
    public enum AllReduce: String, Sendable, CaseIterable {
        /// The segmented ring of this library: the same bits on every transport.
        case ring
        /// MPI's own.
        case native
    }

    /// Ranks of the job; 1 for a process alone.
    public var worldSize: Int { members.count }
    /// Rank 0, which saves and prints.
    public var isMain: Bool { rank == 0 }

    /// - Parameter thread: nil for a job of one rank.
    init(rank: Int, members: [Member], board: ProgressBoard, allReduce: AllReduce, thread: CommunicationThread?) {
        self.rank = rank
        self.members = members
        self.board = board
        self.allReduce = allReduce
        self.thread = thread
        scratch = CollectiveMemory(byteCount: thread == nil ? 0 : RingAllReduce.scratchBytes)
    }

    /// - Parameter makeTransport: called on the communication thread.
    convenience init(rank: Int, members: [Member], makeTransport: @escaping @Sendable () throws -> any RingTransport) {
        let thread = members.count == 1 ? nil : CommunicationThread(makeTransport)
        thread?.onFailure { Self.failure($0, members: members) }
        self.init(rank: rank, members: members, board: ProgressBoard(), allReduce: .ring, thread: thread)
    }

    /// A job of one rank.
    public convenience init(single host: String = "") {
        self.init(rank: 0, members: [Member(rank: 0, host: host)]) {
            preconditionFailure("one rank needs no transport")
        }
    }

    deinit { thread?.end() }

    /// Ends the communication thread when everything is done.
    public func end() { thread?.end() }

    // MARK: Sums

    /// The largest number of floats up to `count` that gives all ranks the same share of a sum, but at least the smallest such.
    public func bucketLength(atMost count: Int) -> Int { Stripes.bucketLength(atMost: count, worldSize: worldSize) }

    /// Begins to sum `range` of a flat buffer over all ranks, in place. The floats must be left alone until `wait` returns.
    ///
    /// Sums have bits that depend on the number of ranks and on places in the flat buffer alone, not on how it is cut into
    /// ranges, with `AllReduce.ring`.
    ///
    /// - Parameters:
    ///   - floats: element 0 of the flat buffer.
    ///   - range: elements to sum.
    ///   - owner: the object that frees the floats with its last reference. The communicator retains it until no thread and no peer
    ///     uses the floats any more, also when the sum fails or nobody waits for it. It must not own the communicator.
    public func startAllReduce(unsafe floats: UnsafeMutablePointer<Float>, range: Range<Int>, owner: AnyObject) {
        guard let thread, !range.isEmpty else { return }
        let label = nextLabel()
        thread.submit(.sum(bytes: range.count * MemoryLayout<Float>.stride), memory: [owner, scratch]) {
            [rank, worldSize, scratch, board, allReduce] transport in
            if allReduce == .native, let native = transport as? any NativeAllReduce {
                board.began()
                try native.sum(UnsafeMutableBufferPointer(start: floats + range.lowerBound, count: range.count))
                return
            }
            try RingAllReduce(
                floats,
                range: range,
                rank: rank,
                worldSize: worldSize,
                transport: transport,
                scratch: scratch.floats,
                label: label
            ).run(board: board)
        }
    }

    /// Waits until everything that was begun is done.
    ///
    /// - Throws: `CollectiveError.failed`.
    public func wait() throws {
        guard let thread else { return }
        let activity = board.activity
        let start = ContinuousClock.now
        let span = dt_profile_is_on() ? dt_profile_begin(DT_PART_WAITING_FOR_RANKS) : nil
        board.activity = .waiting
        defer {
            board.activity = activity
            waited += ContinuousClock.now - start
            if let span { dt_profile_end(span) }
        }
        try thread.wait()
    }

    // MARK: Spans of work, for a trace

    /// What the communication thread works at.
    public enum Work: Sendable, Equatable {
        /// Summing floats over all ranks.
        case sum(bytes: Int)
        /// A broadcast, a gathering, an agreement, a barrier.
        case exchange
    }

    /// A collective as the communication thread carried it out.
    public struct Span: Sendable {
        /// What was carried out.
        public let work: Work
        /// Nanoseconds of the monotonic clock, as `Profile` has them.
        public let start, end: UInt64
    }

    /// Keeps the span of each collective from now on, or no longer.
    ///
    /// - Returns: those that were kept since the last call.
    @discardableResult
    public func keepSpans(_ keeps: Bool) -> [Span] {
        thread?.keepSpans(keeps) ?? []
    }

    // MARK: Bytes

    /// The bytes of rank `root` to every rank, in place.
    ///
    /// - Parameter owner: the object that frees the bytes with its last reference, retained as by `startAllReduce`.
    public func broadcast(unsafe bytes: UnsafeMutableRawBufferPointer, from root: Int = 0, owner: AnyObject) throws {
        guard let thread, !bytes.isEmpty else { return }
        try run(on: thread, memory: owner) { try $0.broadcast(bytes, root: root) }
    }

    /// A message of rank `root`, of any length, to every rank.
    public func broadcast(message: [UInt8], from root: Int = 0) throws -> [UInt8] {
        let length = CollectiveMemory([UInt64(message.count)])
        try broadcast(unsafe: length.bytes, from: root, owner: length)
        let count = Int(length.values(of: UInt64.self, count: 1)[0])
        let bytes = rank == root ? CollectiveMemory(message) : CollectiveMemory(byteCount: count)
        try broadcast(unsafe: UnsafeMutableRawBufferPointer(rebasing: bytes.bytes[..<count]), from: root, owner: bytes)
        return bytes.values(count: count)
    }

    /// The bytes of rank `sender` to the rank after it, in place, over that one edge of the ring.
    ///
    /// - Parameter owner: the object that frees the bytes with its last reference, retained as by `startAllReduce`.
    public func pass(unsafe bytes: UnsafeMutableRawBufferPointer, from sender: Int, owner: AnyObject) throws {
        guard let thread, !bytes.isEmpty else { return }
        try run(on: thread, memory: owner) { try $0.pass(bytes, from: sender) }
    }

    /// Every rank's values, in the order of ranks: `count` of them from each.
    public func allGather<Value: BitwiseCopyable>(_ values: [Value]) throws -> [[Value]] {
        guard let thread, !values.isEmpty else { return members.map { _ in values } }
        let memory = CollectiveMemory(members.flatMap { _ in values })
        let blockSize = values.count * MemoryLayout<Value>.stride
        try run(on: thread, memory: memory) { [bytes = memory.bytes] in try $0.allGather(bytes, blockSize: blockSize) }
        let all: [Value] = memory.values(count: members.count * values.count)
        return members.indices.map { Array(all[$0 * values.count..<($0 + 1) * values.count]) }
    }

    /// Every rank's message, of any length.
    public func allGather(message: [UInt8]) throws -> [[UInt8]] {
        let lengths = try allGather([UInt64(message.count)]).map { Int($0[0]) }
        let padded = message + [UInt8](repeating: 0, count: max(1, lengths.max()!) - message.count)
        return zip(try allGather(padded), lengths).map { Array($0.prefix($1)) }
    }

    /// Returns when every rank has come here.
    public func barrier() throws { _ = try allGather([UInt8(0)]) }

    /// The largest of all ranks' values: how ranks agree to stop.
    public func agree(onMaximum value: Int) throws -> Int { try allGather([value]).map { $0[0] }.max()! }

    /// Carries out a collective of bytes and waits for it.
    private func run(
        on thread: CommunicationThread,
        memory: AnyObject,
        _ collective: @escaping (ByteRing) throws -> Void
    ) throws {
        let label = nextLabel()
        thread.submit(.exchange, memory: [memory]) { [rank, worldSize, board] transport in
            try collective(
                ByteRing(transport: transport, rank: rank, worldSize: worldSize, label: label, board: board)
            )
        }
        try wait()
    }

    private func nextLabel() -> MessageLabel {
        operations &+= 1
        return MessageLabel(step: UInt32(truncatingIfNeeded: step), operation: operations, index: 0)
    }

    /// What a transport noticed, where nobody looks further into it.
    static func failure(_ error: any Error, members: [Member]) -> any Error {
        switch error as? TransportError {
        case .closed(let peer, let reason)?, .corrupt(let peer, let reason)?:
            CollectiveError.failed(Failure(culprit: "\(members[peer])", reason: reason))
        case .aborted?: CollectiveError.failed(Failure(culprit: "the job", reason: "aborted"))
        case nil: error
        }
    }
}

/// A transport that can sum by itself.
protocol NativeAllReduce: AnyObject {
    /// Sums over all ranks, in place.
    func sum(_ floats: UnsafeMutableBufferPointer<Float>) throws
}
