extension ContinuousClock.Instant {
    /// The seconds from this instant to now.
    package var secondsAgo: Double { (.now - self) / .seconds(1) }
}
