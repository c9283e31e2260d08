import Formats
import Platform
import Tokenizers

/// Opens a folder of token files without dataset.json, as written by nanoGPT, llm.c, modded-nanogpt and build-nanogpt.
extension Dataset {
    init(tokenFolder path: String, name: String) throws {
        let metaPath = path + "/" + NanoGPTMeta.fileName
        let meta = FileSystem.kind(of: metaPath) == nil ? nil : try NanoGPTMeta(path: metaPath)
        var notices: [String] = []
        var files = try Split.allCases.map { split in
            let found = try Self.tokenFiles(of: split, folder: path)
            if let notice = found.notice { notices.append(notice) }
            return try found.names.map { try Self.open(path + "/" + $0) }
        }
        try Self.checkEmptiness(files, folder: path)
        let shardForm = try Self.commonShardForm(of: Array(files.joined()), folder: path)
        let size =
            meta?.vocabularySize ?? (shardForm == .llama3Shard ? Self.llama3VocabularySize : Self.defaultVocabularySize)
        let vocabulary = Vocabulary(size: size, isGPT2: meta == nil)
        let type = try TokenType.ofHeaderless(
            train: files[0],
            validation: files[1],
            folder: path,
            vocabulary: vocabulary
        )
        files = try files.map { try $0.map { try $0.read(as: type) } }
        self.name = name
        self.path = path
        tokenizer = meta?.tokenizer
        vocabularySize = size
        let origin: TokenSequence.VocabularyOrigin = meta == nil && shardForm == nil ? .assumed : .meta
        train = TokenSequence(files: files[0], vocabularySize: size, origin: origin)
        validation = TokenSequence(files: files[1], vocabularySize: size, origin: origin)
        let tokenizerHash = meta?.tokenizer.map { TokenizerFile.hash(of: $0) } ?? "none"
        let fingerprints = files.map { $0.map(\.fingerprint).joined(separator: "+") }.joined(separator: " ")
        fingerprint = Checksum.sha256(of: "\(size) \(tokenizerHash) \(fingerprints)")
        // Without meta.pkl, the ids are assumed to be GPT-2's, unless the shards are of Llama 3.
        endOfText =
            meta == nil
            ? shardForm == .llama3Shard ? Self.llama3EndOfText : Self.gpt2EndOfText
            : meta?.tokenizer?.endOfText
        textBytes = [:]
        recordedHashes = []
        demo = nil
        self.notices = notices + Self.notices(about: Array(files.joined()), vocabulary, folder: path)
    }

    // MARK: - Files

    /// The names of a split's files: `train.bin` or `train.npy` (`val.…` for validation) if it exists, otherwise all
    /// .bin or .npy files whose names contain the split's name, sorted. Empty if there is no validation split. The
    /// notice names files that are not read.
    ///
    /// - Throws: `UserError(.data)` if the training split has no file, if a name contains both splits, or if there are
    ///   both .bin and .npy files.
    static func tokenFiles(of split: Split, folder: String) throws -> (names: [String], notice: String?) {
        let names = try FileSystem.names(inFolder: folder).filter { name in
            !name.hasPrefix(".") && (name.hasSuffix(".bin") || name.hasSuffix(".npy"))
        }
        let found = names.filter { $0.contains(split.rawValue) }
        let own = ["\(split.rawValue).bin", "\(split.rawValue).npy"].filter(names.contains)
        if own.count == 1 {
            let others = found.filter { $0 != own[0] }
            guard !others.isEmpty else { return (own, nil) }
            let more = others.count == 1 ? "" : " and \(others.count - 1) more"
            return (own, "\(folder): the split \(split.rawValue) is \(own[0]); \(others[0])\(more) is not read")
        }
        if let both = found.first(where: { name in Split.allCases.allSatisfy { name.contains($0.rawValue) } }) {
            throw UserError(.data, "\(folder)/\(both): the name contains both train and val; rename it to one of them")
        }
        let kinds = Set(found.map { $0.suffix(4) })
        guard kinds.count < 2 else {
            throw UserError(
                .data,
                """
                \(folder) has both .bin and .npy files of the split \(split.rawValue), such as \(found[0]), which may \
                be the same tokens; remove one kind
                """
            )
        }
        guard split == .validation || !found.isEmpty else {
            throw UserError(
                .data,
                """
                \(folder) has no train.bin and no shards *train*.bin or *train*.npy, so it is not a dataset or is \
                incomplete; prepare it again
                """
            )
        }
        return (found, nil)
    }

    private static func open(_ path: String) throws -> TokenFile {
        let file = try TokenFile(path: path)
        if case .headerless = file.form, path.hasSuffix(".npy"), file.byteCount > 0 {
            throw UserError(.data, "\(path) is not an NPY file: it lacks the header of numpy.save; save it again")
        }
        return file
    }

    /// Allows an empty validation split of one file. Any other empty file means that writing it failed.
    private static func checkEmptiness(_ files: [[TokenFile]], folder: String) throws {
        let validation = files[1].count == 1 ? [] : files[1]
        guard let empty = (files[0] + validation).first(where: { $0.count == 0 }) else { return }
        throw UserError(.data, "\(empty.path) is empty; prepare the dataset again")
    }

    /// The form of the files if all are llm.c shards; nil if none is.
    ///
    /// - Throws: `UserError(.data)` if the files have different forms.
    private static func commonShardForm(of files: [TokenFile], folder: String) throws -> TokenFile.Form? {
        func shardForm(_ file: TokenFile) -> TokenFile.Form? {
            [.gpt2Shard, .llama3Shard].contains(file.form) ? file.form : nil
        }
        let form = shardForm(files[0])
        // An empty file has no form.
        guard let other = files.first(where: { $0.count > 0 && shardForm($0) != form }) else { return form }
        throw UserError(
            .data,
            """
            \(folder) mixes token files of different kinds: \(files[0].path) is \(files[0].form.text), \(other.path) \
            is \(other.form.text); move the files of each tokenizer to a folder of their own
            """
        )
    }

    /// Notices about types and NPY files that were recognized only from the content.
    private static func notices(about files: [TokenFile], _ vocabulary: Vocabulary, folder: String) -> [String] {
        var types: [TokenType] = []
        var unexpected: [TokenFile] = []
        for file in files where file.count > 0 {
            switch file.form {
            case .headerless(let type) where type != .uint16: if !types.contains(type) { types.append(type) }
            case .numPy where file.path.hasSuffix(".bin"): unexpected.append(file)
            default: break
            }
        }
        let reason =
            vocabulary.size > TokenFile.largestVocabulary
            ? "vocab_size \(vocabulary.size) in \(NanoGPTMeta.fileName) does not fit 16 bits"
            : "only the lower 16 of every \(types.first == .uint64 ? 64 : 32) bits are used"
        let numPy = unexpected.first.map { first in
            unexpected.count == 1
                ? "\(first.path) is \(first.form.text) and is read as one"
                : "\(first.path) and \(unexpected.count - 1) more are NPY files and are read as such"
        }
        return types.map { "\(folder): the token files are read as \($0), because \(reason)" }
            + (numPy.map { [$0] } ?? [])
    }
}

extension Dataset {
    /// The reason why the loss of a split cannot be computed, which needs at least two tokens; nil if it can.
    public func nothingToScore(in split: Split) -> String? {
        let tokens = sequence(of: split)
        guard tokens.targetCount == 0 else { return nil }
        if tokens.files.isEmpty { return "\(path) has no file for the split \(split.rawValue)" }
        return "\(tokens.source) has \(tokens.count == 0 ? "no tokens" : "one token, but a loss needs two")"
    }
}
