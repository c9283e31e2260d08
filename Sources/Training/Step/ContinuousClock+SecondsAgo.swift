extension ContinuousClock.Instant {
    /// Seconds from this moment to now.
    var secondsAgo: Double { (.now - self) / .seconds(1) }
}
