import Formats
import Platform
import Tokenizers

/// A folder of token files without a dataset.json, as nanoGPT, llm.c, modded-nanogpt and build-nanogpt leave it.
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
        // Without any word about it, the ids are taken for GPT-2's, as they are in shards that say so.
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

    /// The names of a split's files: train.bin or val.bin, else all .bin or .npy files that have the split in their name, sorted;
    /// none for a validation split that is not there.
    ///
    /// - Throws: `UserError(.data)` when the training split has none, one is of both splits by its name, or there are two kinds.
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
            throw UserError(.data, "\(folder)/\(both): its name says train and val; rename it to what it is")
        }
        let kinds = Set(found.map { $0.suffix(4) })
        guard kinds.count < 2 else {
            throw UserError(
                .data,
                """
                \(folder) has .bin and .npy files of the split \(split.rawValue), such as \(found[0]): these may be the same \
                tokens twice; keep one kind
                """
            )
        }
        guard split == .validation || !found.isEmpty else {
            throw UserError(
                .data,
                """
                \(folder) has no train.bin, and no shards *train*.bin or *train*.npy: it is no dataset, or half of one; \
                prepare it again
                """
            )
        }
        return (found, nil)
    }

    private static func open(_ path: String) throws -> TokenFile {
        let file = try TokenFile(path: path)
        if case .headerless = file.form, path.hasSuffix(".npy"), file.byteCount > 0 {
            throw UserError(.data, "\(path) is no NPY file: it does not begin as numpy.save writes it; save it again")
        }
        return file
    }

    /// An empty validation split is none; any other empty file is what something has failed to write.
    private static func checkEmptiness(_ files: [[TokenFile]], folder: String) throws {
        let validation = files[1].count == 1 ? [] : files[1]
        guard let empty = (files[0] + validation).first(where: { $0.count == 0 }) else { return }
        throw UserError(.data, "\(empty.path) is empty; prepare the dataset again")
    }

    /// The form of all files if they are llm.c's shards.
    ///
    /// - Throws: `UserError(.data)` when they are of different tokenizers.
    private static func commonShardForm(of files: [TokenFile], folder: String) throws -> TokenFile.Form? {
        func shardForm(_ file: TokenFile) -> TokenFile.Form? {
            [.gpt2Shard, .llama3Shard].contains(file.form) ? file.form : nil
        }
        let form = shardForm(files[0])
        // An empty file is of no kind.
        guard let other = files.first(where: { $0.count > 0 && shardForm($0) != form }) else { return form }
        throw UserError(
            .data,
            """
            \(folder) mixes token files of different kinds: \(files[0].path) is \(files[0].form.text), \(other.path) is \
            \(other.form.text); keep those of one tokenizer in a folder of their own
            """
        )
    }

    /// What was recognized that neither the names of the files nor a header for tokens say.
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
            : "in every \(types.first == .uint64 ? 64 : 32) bits only the lower 16 are used"
        let numPy = unexpected.first.map { first in
            unexpected.count == 1
                ? "\(first.path) is \(first.form.text), and read as one"
                : "\(first.path) and \(unexpected.count - 1) more are NPY files, and read as such"
        }
        return types.map { "\(folder): the token files are read as \($0), as \(reason)" } + (numPy.map { [$0] } ?? [])
    }
}

extension Dataset {
    /// Why a loss of a split cannot be computed: it has no token that another one comes before. Nil where it can.
    public func nothingToScore(in split: Split) -> String? {
        let tokens = sequence(of: split)
        guard tokens.targetCount == 0 else { return nil }
        if tokens.files.isEmpty { return "\(path) has no file for the split \(split.rawValue)" }
        return "\(tokens.source) has \(tokens.count == 0 ? "no tokens" : "one token, and a loss takes two")"
    }
}
