import Platform
import Testing

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
        let (listening, notListening) = (StopRequest(), StopRequest())
        listening.listen(saying: false)
        #expect(!listening.isRequested)
        // To the process: threads that run tests do not take signals.
        kill(getpid(), SIGUSR1)
        for _ in 0..<1000 where !listening.isRequested { usleep(10_000) }
        #expect(listening.isRequested)
        #expect(!notListening.isRequested)
        for number in EndingSignals.all { Platform.signal(number, SIG_DFL) }
    }
}
