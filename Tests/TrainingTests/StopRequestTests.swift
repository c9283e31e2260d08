import Foundation
import Testing

@testable import Training

@Suite("Requests to stop")
struct StopRequestTests {
    @Test("A request is seen by whoever holds it")
    func request() {
        let stop = StopRequest()
        #expect(!stop.isRequested)
        stop.request()
        #expect(stop.isRequested)
        #expect(!StopRequest().isRequested)
    }

    @Test("A signal is a request, and only to those that listen for signals")
    func signal() {
        let (listening, deaf) = (StopRequest.onSignals(), StopRequest())
        #expect(!listening.isRequested)
        // To the process: threads that run tests do not take signals.
        kill(getpid(), SIGUSR1)
        for _ in 0..<1000 where !listening.isRequested { usleep(10_000) }
        #expect(listening.isRequested)
        #expect(!deaf.isRequested)
        for signal in [SIGTERM, SIGINT, SIGUSR1] { Foundation.signal(signal, SIG_DFL) }
    }
}
