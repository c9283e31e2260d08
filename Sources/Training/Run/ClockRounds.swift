import Collectives
import Compute

/// When a rank came to a barrier and when it left it, some barriers after another.
///
/// No rank leaves before the last has come. Between the clocks of two ranks each barrier so gives two bounds: one leaves after
/// the other has come, and the other way round (Performance's `ClockOffset` makes a difference of clocks of them).
struct ClockRounds {
    struct Round {
        /// Nanoseconds of this rank's monotonic clock.
        let came, left: UInt64
    }

    let rounds: [Round]

    /// The quickest of them counts, and there is one among so many.
    private static let count = 32

    /// Every rank calls it at the same place.
    ///
    /// - Throws: `CollectiveError.failed`.
    init(_ communicator: Communicator) throws {
        rounds = try (0..<(communicator.worldSize > 1 ? Self.count : 0)).map { _ in
            let came = Profile.now
            try communicator.barrier()
            return Round(came: came, left: Profile.now)
        }
    }
}
