/// Moves messages round the ring: to the next rank, from the previous one, each in the order in which they were posted.
///
/// The collectives are one algorithm over every transport. Both ends of a message know its length and label beforehand; a
/// transport that can finds a difference and throws. Used by one thread only. Messages are never empty.
///
/// A message's bytes belong to whoever posts it. They must stay allocated until the message is done or `withdraw` has returned
/// true.
protocol RingTransport: AnyObject {
    /// Posts a message to the next rank. Its bytes must stay as they are until it counts as sent.
    func send(_ bytes: UnsafeRawBufferPointer, _ label: MessageLabel) throws

    /// Posts a message from the previous rank, whose bytes are only to be looked at once it counts as received.
    func receive(into bytes: UnsafeMutableRawBufferPointer, _ label: MessageLabel) throws

    /// Waits until at least one more message is done, and returns how many have been finished since the last call.
    ///
    /// - Throws: `TransportError`.
    func advance() throws -> (sent: Int, received: Int)

    /// Gives up all messages that are posted and not done, after a failure. The thread calls nothing else afterwards.
    ///
    /// - Returns: true if neither this transport nor a peer reads or writes the messages' bytes from now on; false if they
    ///   must stay allocated until the process ends.
    func withdraw() -> Bool

    /// Makes `advance` of this or any other thread throw from now on.
    func abort()

    /// Ends in good order: every posted message is done.
    func close()
}

/// Which message it is, so that ranks that are out of step are found and not summed.
struct MessageLabel: Equatable, Sendable {
    /// The iteration of the run.
    var step: UInt32
    /// Number of the collective since the start.
    var operation: UInt32
    /// Number of the message in it.
    var index: UInt32
}

/// What a transport noticed. Whose fault it is, the failure detection finds out.
enum TransportError: Error, Equatable {
    /// The connection with a neighbour ended or broke.
    case closed(peer: Int, reason: String)
    /// A message was not the one expected, or its checksum is wrong.
    case corrupt(peer: Int, reason: String)
    case aborted
}
