import Datasets
import Formats
import Platform
import Tokenizers

/// Prepares a dataset that is published as GPT-2 tokens in llm.c's shards. The shards are checked and used unchanged.
///
/// The folder of the dataset has links to the shards in the cache folder or in the user's copy, so they take disk space
/// only once. The first file is for validation, the others are for training.
struct PublishedShards {
    let request: PreparationRequest
    let files: [PublicFile]
    /// Nil for `CacheFolder.path()`.
    let cacheFolder: String?
    let progress: (PreparationProgress) -> Void
    let announce: (String) -> Void
    var tool = Download.Tool()

    /// Downloads the missing shards and writes the folder of the dataset.
    ///
    /// - Parameters:
    ///   - copy: A folder with the shards under their published names, or nil.
    ///   - path: The folder of the dataset.
    /// - Throws: `UserError(.usage)` if the copy lacks a shard, the tokenizer is not GPT-2's or the disk is too full,
    ///   `UserError(.data)` if a file is not a complete shard of GPT-2 tokens, and the errors of `Download.locate`.
    func prepare(copy: String?, to path: String) throws -> PreparationResult {
        // The tokenizer is checked before gigabytes are downloaded.
        let tokenizer = try tokenizer()
        let paths = try PublishedFiles(
            dataset: .fineweb,
            files: chosen(copy: copy),
            cacheFolder: cacheFolder ?? CacheFolder.path(),
            dataFolder: request.dataFolder,
            tool: tool
        ).locate(copy: copy, announce: announce, progress: progress)
        // All headers are checked before the hashes, which take longer.
        let shards = try paths.map { try shard($0) }
        let folder = try AtomicFolder(path: path)
        let description = description(shards, try link(shards, into: folder.temporaryPath), tokenizer)
        try TokenizerFile.save(tokenizer, folder: folder.temporaryPath)
        try AtomicFile.write(description.text, to: folder.temporaryPath + "/" + DatasetDescription.fileName)
        try folder.commit(replacing: request.overwrite)
        return PreparationResult(
            name: request.name,
            path: path,
            tokenizer: tokenizer.name,
            isTokenizerChosen: false,
            vocabularySize: tokenizer.vocabularySize,
            textBytes: nil,
            trainTokens: shards[1...].reduce(0) { $0 + $1.count },
            validationTokens: shards[0].count,
            documents: nil,
            shards: shards.count,
            continuedTokens: 0
        )
    }

    private func link(_ shards: [TokenFile], into folder: String) throws -> [DatasetDescription.File] {
        let total = shards.reduce(0) { $0 + $1.byteCount }
        var done = 0
        return try shards.map { shard in
            let name = FileSystem.lastComponent(of: shard.path)
            let hash = try Checksum.sha256(ofFile: shard.path)
            done += shard.byteCount
            progress(.init(stage: .reading, doneBytes: done, totalBytes: total))
            try FileSystem.link(shard.path, to: folder + "/" + name)
            return .init(name: name, tokens: shard.count, sha256: hash)
        }
    }

    private func description(
        _ shards: [TokenFile],
        _ files: [DatasetDescription.File],
        _ tokenizer: any Tokenizer
    ) -> DatasetDescription {
        DatasetDescription(
            name: request.name,
            tokenizer: .init(
                kind: tokenizer.name,
                file: TokenizerFile.name,
                sha256: TokenizerFile.hash(of: tokenizer)
            ),
            vocabularySize: tokenizer.vocabularySize,
            elementType: TokenFile.ElementType.uint16.rawValue,
            train: Array(files[1...]),
            validation: [files[0]],
            rule: .sources,
            sources: zip(shards, files).map { .init(name: $0.path, bytes: $0.byteCount, sha256: $1.sha256) }
        )
    }

    /// Returns the validation shard and the first training shards: as many as requested, else as many as the copy has,
    /// else all.
    private func chosen(copy: String?) -> [PublicFile] {
        let training = files.dropFirst()
        var count = request.publishedShards ?? training.count
        if let copy, request.publishedShards == nil {
            let absent = training.firstIndex { FileSystem.kind(of: $0.path(inCopy: copy)) == nil }
            count = max(1, (absent ?? training.endIndex) - training.startIndex)
        }
        return [files[0]] + training.prefix(count)
    }

    /// Returns GPT-2's tokenizer, which produced the published tokens.
    private func tokenizer() throws -> any Tokenizer {
        let source = request.tokenizer ?? .gpt2
        let tokenizer = try source.open(cacheFolder: cacheFolder) {
            progress(.init(stage: .downloading, doneBytes: $0, totalBytes: 0))
        }
        guard tokenizer.endOfText == Dataset.gpt2EndOfText,
            tokenizer.vocabularySize == Int(Dataset.gpt2EndOfText) + 1
        else {
            throw UserError(
                .usage,
                "\(request.name) is published as GPT-2 tokens; remove --tokenizer or pass a copy of GPT-2's tokenizer"
            )
        }
        return tokenizer
    }

    private func shard(_ path: String) throws -> TokenFile {
        let file = try TokenFile(path: path)
        guard file.form == .gpt2Shard else {
            throw UserError(
                .data,
                """
                \(path) is \(file.form.text), but \(request.name) is published as \(TokenFile.Form.gpt2Shard.text); remove \
                the file and download it again
                """
            )
        }
        return file
    }
}
