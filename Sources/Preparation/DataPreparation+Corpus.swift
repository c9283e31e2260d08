import Datasets
import Platform
import Tokenizers

// The destination, the text, and the dataset.json of a preparation.
extension DataPreparation {
    /// Checks that the dataset can be written to a path without overwriting anything except an old dataset.
    func checkDestination(_ path: String) throws {
        guard let kind = FileSystem.kind(of: path) else { return }
        guard request.overwrite else {
            throw UserError(.usage, "\(path) already exists; choose another --name or replace it with --overwrite")
        }
        guard kind == .folder else {
            throw UserError(.usage, "\(path) is a file, not a dataset folder; choose another --name or move the file")
        }
        let datasetFiles = [
            DatasetDescription.fileName, TokenizerFile.name, TokenizerFile.settingsName, NanoGPTMeta.fileName,
            TokenCheck.fileName, ".DS_Store",
        ]
        if let other = try FileSystem.names(inFolder: path)
            .first(where: { !datasetFiles.contains($0) && !$0.hasSuffix(".bin") })
        {
            throw UserError(
                .usage,
                """
                \(path) contains files that do not belong to a dataset, such as \(other); choose another --name or \
                --data_dir, or move them
                """
            )
        }
    }

    func corpus() throws -> Corpus {
        switch request.source {
        case .inputs(let inputs):
            return try Corpus(
                inputs: inputs,
                format: CorpusFormat(
                    separator: request.separator,
                    field: request.field,
                    skipsBad: request.skipsBad
                ),
                hasShare: request.validationShare != nil
            )
        case .published(let dataset, let copy):
            if dataset == .shakespeareChar { try checkCharacters() }
            let paths = try PublishedFiles(
                dataset: dataset,
                files: files ?? dataset.files,
                cacheFolder: cacheFolder ?? CacheFolder.path(),
                dataFolder: request.dataFolder
            ).locate(copy: copy, announce: announce, progress: progress)
            return try corpus(of: dataset, paths)
        case .demo(let seed, let characters):
            try checkCharacters()
            guard characters > 0 else {
                throw UserError(.usage, "the demo corpus must have at least 1 character, not \(characters)")
            }
            return Corpus(
                sources: [
                    CorpusSource(name: FilePath(DemoCorpus.name), content: .demo(seed: seed, characters: characters))
                ]
            )
        }
    }

    private func checkCharacters() throws {
        guard request.tokenizer == nil || request.tokenizer == .char else {
            throw UserError(
                .usage,
                "\(request.name) uses character tokens; to use another --tokenizer, pass --input FILE --name NAME"
            )
        }
    }

    private func corpus(of dataset: NamedDataset, _ paths: [String]) throws -> Corpus {
        let paths = paths.map { FilePath($0) }
        switch dataset {
        case .openwebtext:
            return Corpus(sources: try paths.map { try CorpusSource(named: $0) }, isOneText: false)
        case .tinystories:
            let splits = zip(paths, [Dataset.Split.train, .validation])
            return Corpus(
                sources: try splits.map { CorpusSource(name: $0, content: .file(try CorpusFile($0)), split: $1) },
                format: CorpusFormat(separator: "<|endoftext|>"),
                isOneText: false
            )
        case .shakespeareChar, .shakespeare, .fineweb, .demo:
            return Corpus(sources: try paths.map { CorpusSource(name: $0, content: .file(try CorpusFile($0))) })
        }
    }

    func check(_ state: PreparationState, _ plan: PreparationPlan) throws {
        let (train, validation) = (state.train, state.validation)
        guard min(train.tokens, validation.tokens) < 2 else { return }
        guard case .hash(let share, _) = plan.rule else {
            throw UserError(
                .data,
                "the text has only \(train.tokens + validation.tokens) tokens, too few for training and validation"
            )
        }
        throw UserError(
            .data,
            """
            --val_fraction=\(share) selects \(validation.documents) of \(train.documents + validation.documents) documents \
            for validation and \(train.documents) for training, but both need text; choose another share or another --seed
            """
        )
    }

    func description(
        _ plan: PreparationPlan,
        state: PreparationState,
        reader: CorpusReader
    ) -> DatasetDescription {
        var demo: DatasetDescription.Demo?
        if case .demo(let seed, let characters) = request.source {
            demo = .init(seed: seed, characters: characters, grammar: DemoCorpus.grammarHash)
        }
        return DatasetDescription(
            name: request.name,
            tokenizer: .init(
                kind: plan.tokenizer.name,
                file: TokenizerFile.name,
                sha256: TokenizerFile.hash(of: plan.tokenizer)
            ),
            recognizesSpecialTokens: plan.recognizesSpecialTokens,
            vocabularySize: plan.tokenizer.vocabularySize,
            elementType: plan.elementType.rawValue,
            train: state.train.files,
            validation: state.validation.files,
            trainText: .init(bytes: state.train.textBytes, documents: state.train.documents),
            validationText: .init(bytes: state.validation.textBytes, documents: state.validation.documents),
            rule: plan.rule,
            sources: reader.finishedSources,
            demo: demo,
            documentEnd: plan.keptSeparator,
            reading: reader.notices.counts.map { .init(name: $0.kind.rawValue, count: $0.count) }
        )
    }
}
