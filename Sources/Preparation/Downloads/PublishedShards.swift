import Datasets
import Formats
import Platform
import Tokenizers

/// A dataset that is published as GPT-2's tokens, in llm.c's shards: checked, and used as they are.
///
/// Its folder holds links to the shards, so that they are on the disk once: to those in the cache, or in the user's folder. The
/// first of the files is for validation, the others for training.
struct PublishedShards {
    let request: PreparationRequest
    let files: [PublicFile]
    /// Nil for the user's own.
    let cacheFolder: String?
    let progress: (PreparationProgress) -> Void
    let announce: (String) -> Void
    var tool = Download.Tool()

    /// Downloads what is missing and writes the dataset's folder.
    ///
    /// - Parameters:
    ///   - copy: a folder that has the shards already, by their published names.
    ///   - path: of the dataset.
    /// - Throws: `UserError`: `.usage` for shards that a copy does not have, another tokenizer than GPT-2's, and a full disk; `.data`
    ///   for a file that is no shard of GPT-2's tokens, or is cut; and as `Download.locate`.
    func prepare(copy: String?, to path: String) throws -> PreparationResult {
        // Before gigabytes are on their way.
        let tokenizer = try tokenizer()
        let paths = try PublishedFiles(
            dataset: .fineweb,
            files: chosen(copy: copy),
            cacheFolder: cacheFolder ?? CacheFolder.path(),
            dataFolder: request.dataFolder,
            tool: tool
        ).locate(copy: copy, announce: announce, progress: progress)
        // All headers before the first hash, which takes a while.
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

    /// The first shards for training that are wanted: all, or of a copy as many as it has.
    private func chosen(copy: String?) -> [PublicFile] {
        let training = files.dropFirst()
        var count = request.publishedShards ?? training.count
        if let copy, request.publishedShards == nil {
            let absent = training.firstIndex { FileSystem.kind(of: $0.path(inCopy: copy)) == nil }
            count = max(1, (absent ?? training.endIndex) - training.startIndex)
        }
        return [files[0]] + training.prefix(count)
    }

    /// GPT-2's, with which the text was tokenized.
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
                "\(request.name) is published as GPT-2's tokens: leave --tokenizer out, or name a copy of GPT-2's"
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
                \(path) is \(file.form.text), and not \(TokenFile.Form.gpt2Shard.text), as \(request.name) is published: \
                remove it and download it again
                """
            )
        }
        return file
    }
}
