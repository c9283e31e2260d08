extension ContinuousClock.Instant {
    /// Seconds from then to now.
    package var secondsAgo: Double { (.now - self) / .seconds(1) }
}
