import Collectives
import Compute
import Configuration
import Datasets
import Formats
import Platform

/// Compares the data that the ranks of a job read, before they train: a copy that was cut short into a file of its final size
/// has the right name and length.
struct DataComparison {
    let dataset: Dataset
    let pool: WorkerPool
    let communicator: Communicator
    let output: RunOutput

    /// Compares the bytes of the files.
    ///
    /// - Parameters:
    ///   - sampler: of training.
    ///   - firstStep: the first step of this run.
    /// - Throws: on every rank, `UserError` or `JobError` that names ranks, file and bytes; `CollectiveError.failed`.
    func run(_ extent: DataVerification, _ sampler: BatchSampler, firstStep: Int, seed: Int) throws {
        let isWhole = extent == .full
        guard communicator.worldSize > 1 || isWhole else { return }
        guard communicator.worldSize > 1 || dataset.hasRecord else {
            return output.note(
                "verify_data=full has nothing to compare the data with: there is one rank, and no dataset.json with hashes"
            )
        }
        let start = ContinuousClock.now
        let blocks: DataBlocks =
            isWhole
            ? .all(of: dataset)
            : .samples(of: dataset, sampler: sampler, firstStep: firstStep, seed: UInt64(seed))
        let own = try compare(blocks, isWhole: isWhole)
        if let file = own.matchesRecord.firstIndex(of: false) {
            throw communicator.common(dataset.recordMismatch(file))
        }
        say(extent, blocks, (ContinuousClock.now - start) / .seconds(1))
    }

    /// Compares what is known without reading much: sizes, hashes that dataset.json has, and else the ends of files.
    ///
    /// - Throws: on every rank, `JobError` that names ranks and what differs; `CollectiveError.failed`.
    func checkFingerprints() throws {
        let fingerprints = try communicator.allGather(message: Array(dataset.fingerprint.utf8))
        guard let other = fingerprints.firstIndex(where: { $0 != fingerprints[0] }) else { return }
        let listings = try communicator.allGather(message: Array(dataset.listing.joined(separator: "\n").utf8))
            .map { String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init) }
        if let unlike = listings.firstIndex(where: { $0 != listings[0] }) {
            let lines = zip(listings[0], listings[unlike]).first { $0 != $1 }
            let counts = ("\(listings[0].count) files", "\(listings[unlike].count) files")
            throw mismatch(unlike, "\((lines ?? counts).1), not \((lines ?? counts).0)")
        }
        if !dataset.hasRecord { _ = try compare(.fingerprinted(of: dataset), isWhole: false) }
        throw mismatch(other, "the tokenizer or the size of the vocabulary differs")
    }

    private func mismatch(_ rank: Int, _ reason: String) -> any Error {
        let members = communicator.members
        return communicator.common(
            UserError(
                .data,
                "\(members[rank]) has another dataset \(dataset.name) than \(members[0]): \(reason); copy the dataset again"
            )
        )
    }

    // MARK: - Reading

    /// - Returns: the hashes of this rank, which all others have, too.
    private func compare(_ blocks: DataBlocks, isWhole: Bool) throws -> DataHashes {
        let own = try readOnAllRanks(blocks, isWhole)
        let digest = own.blocks.withUnsafeBytes { Checksum.sha256(of: $0) }
        let digests = try communicator.allGather(message: Array(digest.utf8))
        if digests.contains(where: { $0 != digests[0] }) { try explain(own, blocks) }
        return own
    }

    /// - Throws: on every rank, the error of the first one that could not read.
    private func readOnAllRanks(_ blocks: DataBlocks, _ isWhole: Bool) throws -> DataHashes {
        let result = Result {
            try DataHashes(blocks, of: dataset, isWhole: isWhole, pool: pool, worked: communicator.board.worked) {
                share in
                output.progress("comparing the data: \(Int(share * 100))%")
            }
        }
        switch result {
        case .success(let hashes):
            try communicator.agree(on: nil)
            return hashes
        case .failure(let error):
            try communicator.agree(on: error as? UserError ?? UserError(.other, "\(error)"))
            throw error
        }
    }

    private func say(_ extent: DataVerification, _ blocks: DataBlocks, _ seconds: Double) {
        guard communicator.isMain else { return }
        let time = "in \(Numbers.fixed(seconds, seconds < 10 ? 2 : 0)) s"
        let ranks = communicator.worldSize == 1 ? "by dataset.json" : "on \(communicator.worldSize) ranks"
        switch extent {
        case .samples:
            let count = Numbers.grouped(blocks.blocks.count)
            output.line(
                "compared \(count) \(blocks.blocks.count == 1 ? "block" : "blocks") of the data \(ranks) \(time)"
            )
        case .full: output.line("verified \(ByteCount.text(dataset.byteCount)) of data \(ranks) \(time)")
        }
    }

    // MARK: - Where copies differ

    /// - Throws: the difference, on every rank.
    private func explain(_ own: DataHashes, _ blocks: DataBlocks) throws {
        let all = try communicator.allGather(own.blocks)
        let block = own.blocks.indices.first { index in all.contains { $0[index] != all[0][index] } }!
        let file = blocks.blocks[block].file
        // Empty where there is no record.
        let matches = try communicator.allGather([own.matchesRecord.isEmpty ? false : own.matchesRecord[file]])
            .map { $0[0] }
        let difference = DataDifference(
            members: communicator.members,
            hashes: all,
            block: block,
            file: dataset.fileName(file),
            blocks: blocks.blocks,
            matchesRecord: own.matchesRecord.isEmpty ? nil : matches
        )
        throw communicator.common(UserError(.data, difference.text))
    }
}
