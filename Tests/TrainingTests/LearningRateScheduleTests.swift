import Testing

@testable import Training

@Suite("Learning rate schedule")
struct LearningRateScheduleTests {
    let schedule = LearningRateSchedule(
        learningRate: 1e-3,
        minimum: 1e-4,
        warmupIterations: 100,
        decayIterations: 2000
    )

    @Test("Warm-up rises linearly from lr/(warmup+1) and has almost reached lr at its end")
    func warmup() {
        #expect(abs(schedule.rate(at: 0) - 1e-3 / 101) < 1e-18)
        #expect(abs(schedule.rate(at: 49) - 1e-3 * 50 / 101) < 1e-18)
        #expect(abs(schedule.rate(at: 99) - 1e-3 * 100 / 101) < 1e-18)
    }

    @Test("The cosine starts at lr, passes the mean half-way, and ends at the minimum")
    func cosine() {
        #expect(schedule.rate(at: 100) == 1e-3)
        #expect(abs(schedule.rate(at: 1050) - 5.5e-4) < 1e-15)
        // A third of the way: cos(π/3) = 1/2, so three quarters of the way up from the minimum.
        let thirds = LearningRateSchedule(learningRate: 1, minimum: 0, warmupIterations: 0, decayIterations: 300)
        #expect(abs(thirds.rate(at: 100) - 0.75) < 1e-12)
        #expect(schedule.rate(at: 2000) == 1e-4)
        #expect(schedule.rate(at: 1_000_000) == 1e-4)
    }

    @Test("Without decay the rate is constant, and warm-up is off as in nanoGPT")
    func constant() {
        var constant = schedule
        constant.decays = false
        for iteration in [0, 50, 100, 5000] { #expect(constant.rate(at: iteration) == 1e-3) }
    }

    @Test("A decay that ends with the warm-up goes straight to the minimum")
    func noRoomForDecay() {
        let schedule = LearningRateSchedule(learningRate: 1, minimum: 0.1, warmupIterations: 10, decayIterations: 10)
        #expect(schedule.rate(at: 9) == 10.0 / 11)
        #expect(schedule.rate(at: 10) == 0.1)
    }
}
