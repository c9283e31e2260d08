extension ContinuousClock {
    /// The time that `body` takes, in seconds.
    static func seconds(_ body: () -> Void) -> Double { ContinuousClock().measure(body) / .seconds(1) }
}
