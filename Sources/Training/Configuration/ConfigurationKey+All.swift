import Platform

extension ConfigurationKey {
    /// Every option of a run, group by group in the order of the help.
    public static let all: [ConfigurationKey] =
        run + model + variants + optimization + evaluation + machine + ranks + compatibility

    private static let run: [ConfigurationKey] = [
        .choice(
            "preset",
            .run,
            \.preset,
            "Values to start from; unless given, the data set chooses: characters, bytes and small vocabularies baby, "
                + "GPT-2's tokens gpt2"
        ),
        .text(
            "dataset",
            .run,
            \.dataset,
            "Name of a prepared data set; unless given, shakespeare_char or else the built-in demo corpus"
        ),
        .text("data_dir", .run, \.dataDir, "Folder of the data sets: NAME is the folder data_dir/NAME"),
        .text("out_dir", .run, \.outDir, "Folder that the run writes to"),
        .text(
            "init_from",
            .run,
            \.initFrom,
            "Where a model begins: scratch, resume (continue the run in out_dir), a model's folder or file, or gpt2, "
                + "gpt2-medium, gpt2-large, gpt2-xl"
        ),
        .boolean(
            "overwrite",
            .run,
            \.overwrite,
            onlyOnCommandLine: true,
            "Replace the run that is in out_dir; only on the command line"
        ),
        .integer("seed", .run, \.seed, atLeast: 0, atMost: .max, "Decides initial weights, batches and dropout"),
        .choice(
            "sampling",
            .run,
            \.sampling,
            "Training batches at random offsets, one after the other through the data, or each block once an epoch"
        ),
        .boolean(
            "document_mask",
            .run,
            \.documentMask,
            "Keep attention within documents, which end with the end-of-text token; positions go on over them"
        ),
    ]

    private static let model: [ConfigurationKey] = [
        .integer("n_layer", .model, \.layerCount, atLeast: 1, atMost: 10_000, "Transformer blocks"),
        .integer("n_head", .model, \.headCount, atLeast: 1, atMost: 1 << 24, "Attention heads; must divide n_embd"),
        .integer("n_embd", .model, \.embeddingSize, atLeast: 1, atMost: 1 << 24, "Width of the model"),
        .integer("block_size", .model, \.blockSize, atLeast: 1, atMost: 1 << 24, "Longest sequence, in tokens"),
        .number(
            "dropout",
            .model,
            \.dropout,
            "at least 0 and less than 1",
            { (0..<1).contains($0) },
            "Probability of zeroing an activation while training"
        ),
        .boolean("bias", .model, \.bias, "Biases in linear layers and LayerNorms, as in GPT-2"),
        .choice("activation", .model, \.activation, "Nonlinearity of the MLP; OpenAI's GPT-2 has gelu_tanh"),
    ]

    private static let variants: [ConfigurationKey] = [
        .boolean("causal_mask", .variants, \.variants.causalMask, "Whether a position sees only what is before it"),
        .integer(
            "attention_window",
            .variants,
            \.variants.attentionWindow,
            atLeast: 0,
            atMost: 1 << 24,
            "Positions that a query sees, its own the last; 0 for all"
        ),
        .integer(
            "attention_sinks",
            .variants,
            \.variants.attentionSinks,
            atLeast: 0,
            atMost: 1 << 24,
            "With a window: first positions that are seen from everywhere"
        ),
        .number(
            "attention_temperature",
            .variants,
            \.variants.attentionTemperature,
            "more than 0",
            { $0 > 0 && $0.isFinite },
            "Divides attention's scores: above 1 flatter, below sharper"
        ),
        .choice(
            "attention",
            .variants,
            \.variants.attention,
            "Scores of a head in tiles, or all at once, which takes more time and memory for the same result"
        ),
        .choice(
            "position_embedding",
            .variants,
            \.variants.positions,
            "How the model knows where a token stands"
        ),
        .choice(
            "residual",
            .variants,
            \.variants.residual,
            "Around which halves of a block the input goes on beside the output"
        ),
        .choice("norm", .variants, \.variants.norm, "What normalizes activations"),
        .choice(
            "norm_position",
            .variants,
            \.variants.normPosition,
            "On the way into attention and MLP, or on the stream after them"
        ),
        .boolean(
            "tied_head",
            .variants,
            \.variants.tiedHead,
            "Whether the output head's weights are the token embedding"
        ),
        .heads(
            "ablate_heads",
            .variants,
            \.variants.ablatedHeads,
            "Attention heads whose output is taken for zero, as layer.head with commas between"
        ),
    ]

    private static let optimization: [ConfigurationKey] = [
        .integer("batch_size", .optimization, \.batchSize, atLeast: 1, "Sequences in a micro-batch"),
        .integer(
            "gradient_accumulation_steps",
            .optimization,
            \.gradientAccumulationSteps,
            atLeast: 1,
            "Micro-batches in an iteration, over all ranks together"
        ),
        .integer("max_iters", .optimization, \.maxIters, atLeast: 0, "Updates of the parameters in the whole run"),
        .number(
            "learning_rate",
            .optimization,
            \.learningRate,
            "more than 0",
            { $0 > 0 },
            "Largest learning rate, reached at the end of the warm-up"
        ),
        .boolean("decay_lr", .optimization, \.decayLR, "Warm-up and cosine decay; without, learning_rate throughout"),
        .integer("warmup_iters", .optimization, \.warmupIters, atLeast: 0, "Iterations of linear warm-up"),
        .integer("lr_decay_iters", .optimization, \.lrDecayIters, atLeast: 1, "Iteration at which min_lr is reached"),
        .number("min_lr", .optimization, \.minLR, "at least 0", { $0 >= 0 }, "Learning rate at the end of the decay"),
        .number(
            "weight_decay",
            .optimization,
            \.weightDecay,
            "at least 0",
            { $0 >= 0 },
            "AdamW's decay of matrices and embeddings"
        ),
        .number(
            "beta1",
            .optimization,
            \.beta1,
            "at least 0 and less than 1",
            { (0..<1).contains($0) },
            "AdamW's decay of the mean gradient"
        ),
        .number(
            "beta2",
            .optimization,
            \.beta2,
            "at least 0 and less than 1",
            { (0..<1).contains($0) },
            "AdamW's decay of the mean squared gradient"
        ),
        .number(
            "grad_clip",
            .optimization,
            \.gradClip,
            "at least 0",
            { $0 >= 0 },
            "Largest norm of the gradient; 0 turns clipping off"
        ),
    ]

    private static let evaluation: [ConfigurationKey] = [
        .integer(
            "eval_interval",
            .evaluation,
            \.evalInterval,
            atLeast: 1,
            "Iterations from one evaluation to the next"
        ),
        .integer("eval_iters", .evaluation, \.evalIters, atLeast: 1, "Batches of each split in an evaluation"),
        .boolean("eval_only", .evaluation, \.evalOnly, "Evaluate once and end"),
        .choice("eval_on", .evaluation, \.evalOn, "Ranks that compute the batches of an evaluation; same figures"),
        .integer("log_interval", .evaluation, \.logInterval, atLeast: 1, "Iterations from one log line to the next"),
        .boolean(
            "always_save_checkpoint",
            .evaluation,
            \.alwaysSaveCheckpoint,
            "Save at every evaluation; without, when the validation loss is the best so far, and at the end"
        ),
        .integer(
            "keep_checkpoints",
            .evaluation,
            \.keepCheckpoints,
            atLeast: 0,
            "Newest checkpoints to keep, at least one; the best is kept besides"
        ),
        .choice(
            "save_failure",
            .evaluation,
            \.saveFailure,
            "When a checkpoint cannot be saved: continue says so and tries again at the next evaluation, stop ends the run"
        ),
    ]

    private static let machine: [ConfigurationKey] = [
        .integer("threads", .machine, \.threads, atLeast: 0, atMost: 1024, "Worker threads; 0 takes every core"),
        .choice(
            "device",
            .machine,
            \.device,
            remark: { value in
                switch value {
                case "mps", "metal":
                    "this program computes on CPUs, which its kernels are written for; on Apple silicon leave the option out, and matrix products go through Accelerate to the CPU's matrix units"
                case let other where ["cuda", "gpu", "xpu", "rocm", "hip", "tpu"].contains { other.hasPrefix($0) }:
                    "this program computes on CPUs, which its kernels are written for, on one machine or many; on a GPU machine use nanoGPT or llm.c, whose checkpoints are read here"
                default: nil
                }
            },
            "What to compute on"
        ),
        .choice(
            "dtype",
            .machine,
            \.dtype,
            remark: { ["bfloat16", "float16", "float64"].contains($0) ? "computes in float32 only" : nil },
            "Number format of parameters and activations"
        ),
        .text(
            "profile",
            .machine,
            \.profile,
            mayBeEmpty: true,
            onlyOnCommandLine: true,
            "Write a trace of \(StepTrace.stepCount) steps after the first \(StepTrace.warmUp), at most "
                + "\(Numbers.grouped(StepTrace.eventCount)) events, to this file, for chrome://tracing or Perfetto; "
                + "of several ranks each writes its own beside it, and ddp-train trace joins them; only on the command line"
        ),
    ]

    private static let ranks: [ConfigurationKey] = [
        .choice(
            "backend",
            .ranks,
            \.backend,
            remark: { value in
                switch value {
                case "nccl", "gloo": "\(value) belongs to PyTorch"
                default: nil
                }
            },
            "How ranks exchange gradients: auto is mpi under mpirun where it is built in, else tcp"
        ),
        .choice(
            "allreduce",
            .ranks,
            \.allReduce,
            "How gradients are summed: the ring has the same bits over every transport, native is MPI_Allreduce"
        ),
        .number(
            "timeout",
            .ranks,
            \.timeout,
            "from 0.1 to 86400 seconds",
            { $0 >= 0.1 && $0 <= 86400 },
            "Seconds without progress or a sign of life after which a rank counts as lost"
        ),
        .text(
            "interface",
            .ranks,
            \.interface,
            mayBeEmpty: true,
            "Network interface between ranks, by name, address or network; unless given, the one that leads to rank 0"
        ),
        .text(
            "hostfile",
            .ranks,
            \.hostfile,
            mayBeEmpty: true,
            "File of the job's hosts, a line each, rank 0's first, where no launcher says who is who"
        ),
        .integer(
            "bucket_cap_mb",
            .ranks,
            \.bucketMegabytes,
            atLeast: 1,
            atMost: 1 << 20,
            "Most megabytes of gradient to sum at once while the backward pass goes on"
        ),
        .integer(
            "check_interval",
            .ranks,
            \.checkInterval,
            atLeast: 0,
            "Iterations from one comparison of the parameters of all ranks to the next; 0 for none"
        ),
    ]

    private static let compatibility: [ConfigurationKey] = [
        .boolean("compile", .compatibility, \.compile, "Ignored: there is nothing to compile at start"),
        .boolean(
            "wandb_log",
            .compatibility,
            \.wandbLog,
            "Ignored: TensorBoard's events, report.html and metrics.jsonl are in out_dir"
        ),
        .text("wandb_project", .compatibility, \.wandbProject, mayBeEmpty: true, "Ignored, as wandb_log"),
        .text("wandb_run_name", .compatibility, \.wandbRunName, mayBeEmpty: true, "Ignored, as wandb_log"),
    ]
}
