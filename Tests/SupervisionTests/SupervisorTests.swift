import Foundation
import Platform
import Testing

@testable import Supervision

@Suite("Supervised ranks", .serialized)
struct SupervisorTests {
    // MARK: What ranks find

    @Test("Ranks know who they are and where they meet, and rank 0 listens there")
    func environment() throws {
        let script = """
            env > "$DIR/env$RANK"
            read line && exit 1
            if [ $RANK = 0 ]; then
                [ "$DDP_TRAIN_LISTEN_FD" = 4 ] && : >&4 && until_there called
            else
                [ -z "$DDP_TRAIN_LISTEN_FD" ] || exit 1
                bash -c ': <> /dev/tcp/$MASTER_ADDR/$MASTER_PORT' && touch "$DIR/called"
            fi
            """
        var job = try ShellJob(script, ranks: 2)
        job.job.environment["DDP_TRAIN_LISTEN_FD"] = "7"
        job.job.environment["DDP_TRAIN_SECRET_FILE"] = "/else/where"
        job.job.environment["KEPT"] = "yes"
        #expect(try job.run().code == 0)
        let variables = (0..<2).map { rank in
            Dictionary(
                uniqueKeysWithValues: job.text("env\(rank)").split(separator: "\n").map { line in
                    let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    return (String(parts[0]), String(parts[1]))
                }
            )
        }
        for (rank, found) in variables.enumerated() {
            #expect(found["RANK"] == String(rank))
            #expect(found["LOCAL_RANK"] == String(rank))
            #expect(found["WORLD_SIZE"] == "2")
            #expect(found["LOCAL_WORLD_SIZE"] == "2")
            #expect(found["MASTER_ADDR"] == "127.0.0.1")
            #expect(found["DDP_TRAIN_PARENT_FD"] == "3")
            #expect(found["DDP_TRAIN_SECRET_FILE"] == nil)
            #expect(found["KEPT"] == "yes")
            #expect(found["DDP_TRAIN_SECRET"]?.wholeMatch(of: /[0-9a-f]{64}/) != nil)
        }
        for name in ["MASTER_PORT", "DDP_TRAIN_SECRET", "DDP_TRAIN_JOB_ID"] {
            #expect(variables[0][name] != nil)
            #expect(variables[0][name] == variables[1][name], "\(name)")
        }
    }

    @Test("Each rank leads a process group of its own, and is open to signals")
    func group() throws {
        let job = try ShellJob("echo $$ $(ps -o pgid= -p $$)", ranks: 1)
        let numbers = try #require(try job.run().outputLines.first).split(separator: " ")
        #expect(numbers.count == 2 && numbers.first == numbers.last, "\(numbers)")
    }

    @Test("A program that is not there is one line, and nothing is left")
    func notThere() throws {
        var job = try ShellJob("", ranks: 2)
        job.job.executable = "/no/such/program"
        #expect(throws: UserError(.other, "cannot run /no/such/program: No such file or directory")) { try job.run() }
    }

    // MARK: Failures

    @Test("Others may leave by themselves; the first that failed is named")
    func failure() throws {
        let script = """
            if [ $RANK = 1 ]; then echo $$ > "$DIR/pid"; kill -9 $$; fi
            until_there pid
            while kill -0 $(cat "$DIR/pid"); do sleep 0.01; done 2> /dev/null
            exit 69
            """
        let result = try ShellJob(script, ranks: 3).run()
        #expect(result.code == 137)
        #expect(result.summary.hasSuffix(": rank 1 was killed by signal 9"), "\(result)")
    }

    @Test("Who stays after a failure, and ignores TERM, is killed with all that it started")
    func stubborn() throws {
        let script = """
            [ $RANK = 1 ] && until_there sleeper && exit 3
            trap '' TERM
            sleep 300 &
            echo $$ > "$DIR/self"
            echo $! > "$DIR/sleeper"
            while :; do wait; done
            """
        var job = try ShellJob(script, ranks: 2)
        job.job.patience.afterFailure = .milliseconds(50)
        job.job.patience.afterTerminate = .milliseconds(50)
        let result = try job.run()
        #expect(result.code == 3)
        #expect(result.errorLines.contains("launch: rank 1 left with code 3, and rank 0 ended for that"), "\(result)")
        for name in ["self", "sleeper"] { #expect(endsSoon(try #require(pid_t(job.text(name)))), "\(name)") }
    }

    @Test("A rank that ends well leaves nothing behind either")
    func leftovers() throws {
        let job = try ShellJob("sleep 300 & echo $! > \"$DIR/sleeper\"", ranks: 1)
        #expect(try job.run().code == 0)
        #expect(endsSoon(try #require(pid_t(job.text("sleeper")))))
    }

    // MARK: Restarts

    @Test("All ranks are started again as often as is allowed, with fresh secrets, and what changed is said")
    func restarts() throws {
        let script = """
            echo "$DDP_TRAIN_SECRET $DDP_TRAIN_JOB_ID" >> "$DIR/rank$RANK"
            [ $RANK = 1 ] && kill -9 $$
            exit 69
            """
        var job = try ShellJob(script, ranks: 2, restarts: 2)
        job.job.patience.beforeRestart = .milliseconds(20)
        let arguments = job.job.arguments
        job.continuation = { .init(arguments: arguments, beginning: "going on from iteration \($0)00") }
        let result = try job.run()
        #expect(result.code == 137)
        #expect(
            result.errorLines.dropLast() == [
                "launch: restart 1 of 2 after rank 1 was killed by signal 9: in 0.02 s, going on from iteration 100",
                "launch: restart 2 of 2 after rank 1 was killed by signal 9: in 0.04 s, going on from iteration 200",
            ]
        )
        #expect(result.summary.contains(/^launch: 2 ranks, 3 starts, .*: rank 1 was killed by signal 9$/), "\(result)")
        let lines = job.text("rank0").split(separator: "\n")
        #expect(lines == job.text("rank1").split(separator: "\n"))
        #expect(Set(lines).count == 3)
    }

    @Test("A start that goes well ends it, with the arguments it was given")
    func recovery() throws {
        var job = try ShellJob("exit 1", ranks: 2, restarts: 5)
        job.job.patience.beforeRestart = .zero
        job.continuation = { _ in .init(arguments: ["-c", "echo $0", "resumed"], beginning: "anew") }
        let result = try job.run()
        #expect(result.code == 0)
        #expect(result.outputLines.sorted() == ["[rank 1] resumed", "resumed"])
        #expect(result.summary.contains("2 starts"))
    }

    @Test("Restarts and their pauses are counted anew after progress")
    func progress() throws {
        var job = try ShellJob("exit 3", ranks: 1, restarts: 2)
        job.job.patience.beforeRestart = .milliseconds(10)
        let arguments = job.job.arguments
        job.continuation = { .init(arguments: arguments, beginning: "anew", hasProgressed: $0 == 3) }
        let result = try job.run()
        #expect(result.code == 3)
        #expect(
            result.errorLines.dropLast() == [
                "launch: restart 1 of 2 after rank 0 left with code 3: in 0.01 s, anew",
                "launch: restart 2 of 2 after rank 0 left with code 3: in 0.02 s, anew",
                "launch: restart 1 of 2 (counted anew, as a checkpoint was saved since the last start) after rank 0 left "
                    + "with code 3: in 0.01 s, anew",
                "launch: restart 2 of 2 after rank 0 left with code 3: in 0.02 s, anew",
            ]
        )
        #expect(result.summary.contains(", 5 starts, "), "\(result)")
    }

    @Test("The pause before a restart doubles up to a minute")
    func pauses() {
        let pauses = (1...9).map { Job.Patience().before(restart: $0) / .seconds(1) }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60])
        #expect(Job.Patience().before(restart: 1_000_000) == .seconds(60))
    }

    @Test(
        "A signal in the pause before a restart ends the job at once",
        arguments: [(SIGTERM, true, 75, "go on with --init_from=resume"), (SIGUSR1, false, 3, "nothing was saved")]
    )
    func signalInPause(signal: Int32, canBeResumed: Bool, code: Int32, outcome: String) throws {
        var job = try ShellJob("exit 3", ranks: 1, restarts: 2)
        job.job.patience.beforeRestart = .seconds(50)
        let arguments = job.job.arguments
        job.continuation = { _ in .init(arguments: arguments, beginning: "anew", canBeResumed: canBeResumed) }
        let (errors, signals) = (job.folder("errors"), job.folder("signals"))
        let sender = Thread {
            let line = "launch: restart 1 of 2 after rank 0 left with code 3: in 50 s, anew"
            while (try? String(contentsOfFile: errors, encoding: .utf8))?.contains(line) != true { usleep(2_000) }
            let pipe = open(signals, O_WRONLY)
            var byte = UInt8(signal)
            write(pipe, &byte, 1)
            close(pipe)
        }
        sender.start()
        let result = try job.run()
        #expect(result.code == code, "\(result)")
        let name = signal == SIGTERM ? "SIGTERM" : "SIGUSR1"
        #expect(
            result.summary.hasSuffix(" s: \(name) before restart 1 of 2 after rank 0 left with code 3; \(outcome)"),
            "\(result)"
        )
    }

    @Test("Wrong usage, bad data and a stop after saving are final", arguments: [64, 65, 75])
    func final(code: Int) throws {
        let result = try ShellJob("exit \(code)", ranks: 2, restarts: 3).run()
        #expect(result.code == Int32(code))
        #expect(!result.summary.contains("starts"), "\(result)")
    }

    // MARK: Signals

    @Test("A signal reaches every rank once, and a stop after saving is 75", arguments: [SIGTERM, SIGINT, SIGUSR1])
    func forwarded(signal: Int32) throws {
        let name = [SIGTERM: "TERM", SIGINT: "INT", SIGUSR1: "USR1"][signal]!
        let script = """
            trap 'echo caught; touch "$DIR/caught$RANK"' \(name)
            touch "$DIR/ready$RANK"
            for rank in 0 1 2; do until_there ready$rank; done
            [ $RANK = 2 ] && signal \(signal)
            for rank in 0 1 2; do until_there caught$rank; done
            exit 75
            """
        let result = try ShellJob(script, ranks: 3, restarts: 1).run()
        #expect(result.code == 75)
        #expect(result.outputLines.sorted() == ["[rank 1] caught", "[rank 2] caught", "caught"])
        #expect(result.summary.hasSuffix("stopped by a signal, after saving"), "\(result)")
    }

    @Test("After a signal nothing is started again, whatever the ranks leave with")
    func noRestart() throws {
        let script = """
            trap 'exit 1' TERM
            [ $RANK = 1 ] && { until_there ready; signal 15; }
            touch "$DIR/ready"
            while :; do sleep 0.01; done
            """
        let result = try ShellJob(script, ranks: 2, restarts: 3).run()
        #expect(result.code == 1)
        #expect(!result.summary.contains("starts"), "\(result)")
    }

    @Test("A second signal ends ranks that go on, with a while for SIGTERM", arguments: [SIGTERM, SIGINT])
    func secondSignal(first: Int32) throws {
        let script = """
            trap 'touch "$DIR/first$RANK"' TERM INT
            touch "$DIR/ready$RANK"
            until_there ready0; until_there ready1
            [ $RANK = 0 ] && { signal \(first); until_there first0; until_there first1; signal 2; }
            while :; do sleep 0.01; done
            """
        var job = try ShellJob(script, ranks: 2)
        job.job.patience.beforeSecondSignal = .zero
        job.job.patience.afterSecondSignal = .milliseconds(100)
        let result = try job.run()
        #expect(result.code == 137)
        #expect(result.errorLines.contains("launch: a second signal, and ranks 0, 1 ended for that"), "\(result)")
    }

    @Test("A third signal does not wait")
    func thirdSignal() throws {
        let script = """
            trap 'echo >> "$DIR/count"' TERM INT
            signal 15
            while [ ! -s "$DIR/count" ]; do sleep 0.01; done
            signal 15
            while [ $(wc -l < "$DIR/count") -lt 2 ]; do sleep 0.01; done
            signal 15
            while :; do sleep 0.01; done
            """
        var job = try ShellJob(script, ranks: 1)
        job.job.patience.beforeSecondSignal = .zero
        job.job.patience.afterSecondSignal = .seconds(1000)
        #expect(try job.run().code == 137)
    }

    @Test("The same signal again, soon after the first, is no second request: it may have gone to the whole job")
    func duplicate() throws {
        let script = """
            trap 'echo once >> "$DIR/count"' TERM INT HUP
            trap 'touch "$DIR/caught"' USR1
            signal 15; signal 15; signal 2; signal 1; signal 10
            until_there caught
            exit 75
            """
        var job = try ShellJob(script, ranks: 1)
        job.job.patience.beforeSecondSignal = .seconds(1000)
        let result = try job.run()
        #expect(result.code == 75)
        #expect(job.text("count") == "once")
        let told = result.errorLines.filter { $0.hasPrefix("launch: SIGTERM: the ranks are told to save and end") }
        #expect(told.count == 1, "\(result)")
    }
}
