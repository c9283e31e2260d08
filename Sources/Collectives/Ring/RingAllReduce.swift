import CVectorKernels

/// Sums floats over all ranks, in place, by a segmented ring: reduce-scatter, then all-gather (Patarasuk and Yuan, "Bandwidth
/// optimal all-reduce algorithms for clusters of workstations", 2009). Each rank sends `2 (n - 1) / n` of the bytes.
///
/// In hop t, rank r sends the stripes of owner `r - 1 - t` and receives those of owner `r - 2 - t` (mod n). In the first
/// n - 1 hops what comes is added, so that owners end with whole sums; in the last n - 1 it replaces what is there. A
/// stripe goes on as soon as it has come: a send waits for the receive of the same stripe one hop before, and nothing else.
struct RingAllReduce {
    private let transport: any RingTransport
    private let rank: Int
    private let floats: UnsafeMutablePointer<Float>
    private let stripes: Stripes
    private let scratch: UnsafeMutablePointer<Float>
    private var label: MessageLabel
    private let kernels: UnsafePointer<dt_kernels>

    /// Stripes that wait to be added, and messages that are under way in one direction, at most.
    static let window = 4
    /// Of `scratch`: a stripe for each message that waits to be added.
    static let scratchBytes = window * Stripes.length * MemoryLayout<Float>.stride

    /// - Parameters:
    ///   - floats: element 0 of the flat buffer, of which `range` is summed.
    ///   - scratch: `scratchBytes`.
    init(
        _ floats: UnsafeMutablePointer<Float>,
        range: Range<Int>,
        rank: Int,
        worldSize: Int,
        transport: any RingTransport,
        scratch: UnsafeMutablePointer<Float>,
        label: MessageLabel
    ) {
        self.floats = floats
        self.rank = rank
        self.transport = transport
        self.scratch = scratch
        self.label = label
        stripes = Stripes(range: range, worldSize: worldSize)
        kernels = dt_kernels_get()!
    }

    private var worldSize: Int { stripes.worldSize }
    private var hops: Int { 2 * (worldSize - 1) }

    /// - Parameter board: where messages are counted, as they are posted and done.
    func run(board: ProgressBoard) throws {
        board.began()
        guard worldSize > 1, stripes.groupCount > 0 else { return }
        var sends = Messages(stripes, hops: hops) { hop in rank - 1 - hop }
        var receives = Messages(stripes, hops: hops) { hop in rank - 2 - hop }
        while !(sends.isDone && receives.isDone) {
            while receives.underWay < Self.window, let next = receives.next,
                // The last use of a stripe's own part comes before the sum that replaces it.
                isReduced(next) || sends.doneIndex > next.index - (worldSize - 1) * stripes.groupCount
            {
                try transport.receive(into: target(next), label(next))
                receives.post()
                board.posted(receives: 1)
            }
            while sends.underWay < Self.window, let next = sends.next,
                next.hop == 0 || receives.doneIndex > next.index - stripes.groupCount
            {
                let bytes = UnsafeBufferPointer(start: floats + next.range.lowerBound, count: next.range.count)
                try transport.send(UnsafeRawBufferPointer(bytes), label(next))
                sends.post()
                board.posted(sends: 1)
            }
            let (sent, received) = try transport.advance()
            for _ in 0..<sent { sends.finish() }
            for _ in 0..<received {
                let message = receives.finish()
                guard isReduced(message) else { continue }
                kernels.pointee.add(floats + message.range.lowerBound, slot(message), message.range.count)
            }
            board.moved(sent: sent, received: received)
        }
    }

    private func isReduced(_ message: Messages.Message) -> Bool { message.hop < worldSize - 1 }

    private func label(_ message: Messages.Message) -> MessageLabel {
        var label = label
        label.index = UInt32(truncatingIfNeeded: message.index)
        return label
    }

    private func slot(_ message: Messages.Message) -> UnsafeMutablePointer<Float> {
        scratch + message.ordinal % Self.window * Stripes.length
    }

    private func target(_ message: Messages.Message) -> UnsafeMutableRawBufferPointer {
        let start = isReduced(message) ? slot(message) : floats + message.range.lowerBound
        return UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(start: start, count: message.range.count))
    }
}

/// The messages of one direction in their order, hop by hop and in each the groups one after the other. Empty stripes, which
/// the end of a range leaves, are passed over.
private struct Messages {
    struct Message {
        /// `hop * groups + group`
        let index: Int
        let hop: Int
        let range: Range<Int>
        /// Counts the messages that are not empty.
        let ordinal: Int
    }

    private let stripes: Stripes
    private let count: Int
    private let owner: (Int) -> Int
    /// The next to be posted; nil when all are.
    private(set) var next: Message?
    private var posted: [Message] = []

    init(_ stripes: Stripes, hops: Int, owner: @escaping (Int) -> Int) {
        self.stripes = stripes
        self.owner = owner
        count = hops * stripes.groupCount
        next = message(from: 0, ordinal: 0)
    }

    var underWay: Int { posted.count }
    var isDone: Bool { next == nil && posted.isEmpty }

    /// Every message with a smaller index is done, those that are empty included.
    var doneIndex: Int { posted.first?.index ?? next?.index ?? count }

    mutating func post() {
        guard let message = next else { preconditionFailure("no message left to post") }
        posted.append(message)
        next = self.message(from: message.index + 1, ordinal: message.ordinal + 1)
    }

    @discardableResult
    mutating func finish() -> Message { posted.removeFirst() }

    private func message(from first: Int, ordinal: Int) -> Message? {
        for index in first..<max(first, count) {
            let (hop, group) = index.quotientAndRemainder(dividingBy: stripes.groupCount)
            let worldSize = stripes.worldSize
            // Hops go up to 2 (n - 1), so the owner lies above -2 n.
            let range = stripes.stripe(group: group, owner: (owner(hop) + 2 * worldSize) % worldSize)
            if !range.isEmpty { return Message(index: index, hop: hop, range: range, ordinal: ordinal) }
        }
        return nil
    }
}
