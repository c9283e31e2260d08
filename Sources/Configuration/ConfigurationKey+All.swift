import Datasets
import Platform

extension ConfigurationKey {
    /// Every option of a run, group by group in the order of the help.
    public static let all: [ConfigurationKey] =
        run + model + variants + optimization + evaluation + machine + ranks + compatibility

    private static let run: [ConfigurationKey] = [
        .init("preset", .run, \.preset, .choice, .nothing, .job) {
            "Values to start from; unless given, the data set chooses: characters, bytes and small vocabularies baby, "
                + "GPT-2's tokens gpt2"
        },
        .init("dataset", .run, \.dataset, .text(), .course, .job) {
            "Name of a prepared data set; unless given, shakespeare_char or else the built-in demo corpus"
        },
        .init("data_dir", .run, \.dataDir, .path(.folder), .nothing, .rank) {
            "Folder of the data sets: NAME is the folder data_dir/NAME"
        },
        .init("verify_data", .run, \.verifyData, .choice, .nothing, .job) {
            "What is compared before training: samples of the data between the ranks, or every byte (full), also with "
                + "the hashes in dataset.json"
        },
        .init("out_dir", .run, \.outDir, .path(.folder), .nothing, .rank) { "Folder that the run writes to" },
        .init("init_from", .run, \.initFrom, .path(.fileOrName), .nothing, .job) {
            "Where a model begins: scratch, resume (continue the run in out_dir), a model's folder or file, or gpt2, "
                + "gpt2-medium, gpt2-large, gpt2-xl"
        },
        .init("overwrite", .run, \.overwrite, .boolean, .nothing, .rank, onlyOnCommandLine: true) {
            "Replace the run that is in out_dir; only on the command line"
        },
        .init("seed", .run, \.seed, .integer(0...Int.max), .course, .job) {
            "Decides initial weights, batches and dropout"
        },
        .init("sampling", .run, \.sampling, .choice, .course, .job) {
            "Training batches at random offsets, one after the other through the data, or each block once an epoch"
        },
        .init("document_mask", .run, \.documentMask, .boolean, .course, .job) {
            "Keep attention within documents, which end with the end-of-text token; positions go on over them"
        },
    ]

    private static let model: [ConfigurationKey] = [
        .init("n_layer", .model, \.layerCount, .integer(1...10_000), .shape, .job) {
            "Transformer blocks"
        },
        .init("n_head", .model, \.headCount, .integer(1...1 << 24), .shape, .job) {
            "Attention heads; must divide n_embd"
        },
        .init("n_embd", .model, \.embeddingSize, .integer(1...1 << 24), .shape, .job) {
            "Width of the model"
        },
        .init("block_size", .model, \.blockSize, .integer(1...1 << 24), .shape, .job) {
            "Longest sequence, in tokens"
        },
        .init("dropout", .model, \.dropout, .fraction, .course, .job) {
            "Probability of zeroing an activation while training"
        },
        .init("bias", .model, \.bias, .boolean, .shape, .job) {
            "Biases in linear layers and LayerNorms, as in GPT-2"
        },
        .init("activation", .model, \.activation, .choice, .shape, .job) {
            "Nonlinearity of the MLP; OpenAI's GPT-2 has gelu_tanh"
        },
    ]

    private static let optimization: [ConfigurationKey] = [
        .init("batch_size", .optimization, \.batchSize, .integer(atLeast: 1), .course, .job) {
            "Sequences in a micro-batch"
        },
        .init(
            "gradient_accumulation_steps",
            .optimization,
            \.gradientAccumulationSteps,
            .integer(atLeast: 1),
            .course,
            .job
        ) { "Micro-batches in an iteration, over all ranks together" },
        .init("max_iters", .optimization, \.maxIters, .integer(atLeast: 0), .horizon, .job) {
            "Updates of the parameters in the whole run"
        },
        .init("learning_rate", .optimization, \.learningRate, .positive, .course, .job) {
            "Largest learning rate, reached at the end of the warm-up"
        },
        .init("decay_lr", .optimization, \.decayLR, .boolean, .course, .job) {
            "Warm-up and cosine decay; without, learning_rate throughout"
        },
        .init("warmup_iters", .optimization, \.warmupIters, .integer(atLeast: 0), .course, .job) {
            "Iterations of linear warm-up"
        },
        .init("lr_decay_iters", .optimization, \.lrDecayIters, .integer(atLeast: 1), .course, .job) {
            "Iteration at which min_lr is reached"
        },
        .init("min_lr", .optimization, \.minLR, .nonNegative, .course, .job) {
            "Learning rate at the end of the decay"
        },
        .init("weight_decay", .optimization, \.weightDecay, .nonNegative, .course, .job) {
            "AdamW's decay of matrices and embeddings"
        },
        .init("beta1", .optimization, \.beta1, .fraction, .course, .job) { "AdamW's decay of the mean gradient" },
        .init("beta2", .optimization, \.beta2, .fraction, .course, .job) {
            "AdamW's decay of the mean squared gradient"
        },
        .init("grad_clip", .optimization, \.gradClip, .nonNegative, .course, .job) {
            "Largest norm of the gradient; 0 turns clipping off"
        },
    ]

    private static let evaluation: [ConfigurationKey] = [
        .init("eval_interval", .evaluation, \.evalInterval, .integer(atLeast: 1), .horizon, .job) {
            "Iterations from one evaluation to the next"
        },
        .init("eval_iters", .evaluation, \.evalIters, .integer(atLeast: 1), .horizon, .job) {
            "Batches of each split in an evaluation"
        },
        .init("eval_only", .evaluation, \.evalOnly, .boolean, .horizon, .job) { "Evaluate once and end" },
        .init("eval_on", .evaluation, \.evalOn, .choice, .nothing, .job) {
            "Ranks that compute the batches of an evaluation; same figures"
        },
        .init("log_interval", .evaluation, \.logInterval, .integer(atLeast: 1), .nothing, .rank) {
            "Iterations from one log line to the next"
        },
        .init("always_save_checkpoint", .evaluation, \.alwaysSaveCheckpoint, .boolean, .horizon, .job) {
            "Save at every evaluation; without, when the validation loss is the best so far, and at the end"
        },
        .init("keep_checkpoints", .evaluation, \.keepCheckpoints, .integer(atLeast: 0), .nothing, .rank) {
            "Newest checkpoints to keep, at least one; the best is kept besides"
        },
        .init("save_failure", .evaluation, \.saveFailure, .choice, .nothing, .rank) {
            "When a checkpoint cannot be saved: continue says so and tries again at the next evaluation, stop ends the "
                + "run"
        },
    ]

    private static let machine: [ConfigurationKey] = [
        .init("threads", .machine, \.threads, .integer(0...1024), .nothing, .rank) {
            "Worker threads; 0 takes every core"
        },
        .init("device", .machine, \.device, .choice(deviceRemark), .nothing, .job) { "What to compute on" },
        .init("dtype", .machine, \.dtype, .choice(dataTypeRemark), .course, .job) {
            "Number format of parameters and activations"
        },
        .init("profile", .machine, \.profile, .path(.file, mayBeEmpty: true), .nothing, .job, onlyOnCommandLine: true) {
            "Write a trace of \(ProfileExtent.stepCount) steps after the first \(ProfileExtent.warmUp), at most "
                + "\(Numbers.grouped(ProfileExtent.eventCount)) events, to this file, for chrome://tracing or "
                + "Perfetto; of several ranks each writes its own beside it, and ddp-train trace joins them; only on the "
                + "command line"
        },
    ]

    @Sendable private static func deviceRemark(_ value: String) -> String? {
        let reason = "this program computes on CPUs, which its kernels are written for"
        switch value {
        case "mps", "metal":
            return "\(reason); on Apple silicon leave the option out, and matrix products go through Accelerate to the "
                + "CPU's matrix units"
        case let other where ["cuda", "gpu", "xpu", "rocm", "hip", "tpu"].contains { other.hasPrefix($0) }:
            return
                "\(reason), on one machine or many; on a GPU machine use nanoGPT or llm.c, whose checkpoints are read "
                + "here"
        default: return nil
        }
    }

    @Sendable private static func dataTypeRemark(_ value: String) -> String? {
        ["bfloat16", "float16", "float64"].contains(value) ? "computes in float32 only" : nil
    }

    private static let ranks: [ConfigurationKey] = [
        .init("backend", .ranks, \.backend, .choice(backendRemark), .connection, .job) {
            "How ranks exchange gradients: auto is mpi under mpirun where it is built in, else tcp"
        },
        .init("allreduce", .ranks, \.allReduce, .choice, .course, .job) {
            "How gradients are summed: the ring has the same bits over every transport, native is MPI_Allreduce"
        },
        .init("timeout", .ranks, \.timeout, .timeout, .connection, .rank) {
            "Seconds without progress or a sign of life after which a rank counts as lost"
        },
        .init("meet_timeout", .ranks, \.meetTimeout, .timeout, .connection, .rank) {
            "Seconds to wait at the start for ranks that have not come"
        },
        .init("port_range", .ranks, \.portRange, .ports, .connection, .rank) {
            "Ports that a rank may listen on, LOW-HIGH, besides MASTER_PORT on rank 0: those to open in a firewall"
        },
        .init("interface", .ranks, \.interface, .text(mayBeEmpty: true), .connection, .rank) {
            "Network interface between ranks, by name, address or network; unless given, the one that leads to rank 0"
        },
        .init("hostfile", .ranks, \.hostfile, .path(.file, mayBeEmpty: true), .connection, .rank) {
            "File of the job's hosts, a line each, rank 0's first, where no launcher says who is who"
        },
        .init("bucket_cap_mb", .ranks, \.bucketMegabytes, .integer(1...1 << 20), .nothing, .job) {
            "Most megabytes of gradient to sum at once while the backward pass goes on"
        },
        .init("check_interval", .ranks, \.checkInterval, .integer(atLeast: 0), .nothing, .job) {
            "Iterations from one comparison of the parameters of all ranks to the next; 0 for none"
        },
    ]

    @Sendable private static func backendRemark(_ value: String) -> String? {
        ["nccl", "gloo"].contains(value) ? "\(value) belongs to PyTorch" : nil
    }

    private static let compatibility: [ConfigurationKey] = [
        .init("compile", .compatibility, \.compile, .boolean, .nothing, .rank) {
            "Ignored: there is nothing to compile at start"
        },
        .init("wandb_log", .compatibility, \.wandbLog, .boolean, .nothing, .rank) {
            "Ignored: TensorBoard's events, report.html and metrics.jsonl are in out_dir"
        },
        .init("wandb_project", .compatibility, \.wandbProject, .text(mayBeEmpty: true), .nothing, .rank) {
            "Ignored, as wandb_log"
        },
        .init("wandb_run_name", .compatibility, \.wandbRunName, .text(mayBeEmpty: true), .nothing, .rank) {
            "Ignored, as wandb_log"
        },
    ]
}
