#!/usr/bin/env bash
# Shows that the tests see errors: plants one in each of many places in turn, in a copy of the last commit, and runs the tests
# of what it is in, which have to fail every time. Of the backward pass, the sum over ranks and AdamW they are errors of 1 %; of
# the way from text to batches, what is easily got wrong there. Ends with exit code 1 if an error stayed unseen. About half a
# minute a place.
#
#   scripts/check/plant_errors.sh [NAME…]
#
#   NAME   only these places, by the names that it prints
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"
for argument in "$@"; do
    case "$argument" in
        -h | --help)
            print_help "scripts/check/plant_errors.sh"
            exit 0
            ;;
        -*) wrong_use "unknown option $argument" ;;
    esac
done

# name | file | what sed does to it
plants() {
    cat << 'PLANTS'
linear-dx           | Sources/Transformer/Model/Linear.swift | s/rows.multiplyTransposed(dy, weight, into: dx)/&; for index in 0..<dx.rows * dx.columns { dx.base[index] *= 1.01 }/
linear-dW           | Sources/Transformer/Model/Linear.swift | s/pass.addProduct(x.columns(rows), dy.columns(columns), to: tile, .linearWeightGradient)/pass.products.multiply(x.columns(rows), .transposed, dy.columns(columns), .plain, into: tile, scale: 1.01, keep: 1)/
linear-db           | Sources/CVectorKernels/vector_kernels.inc | s/LOAD(sums) + sum/LOAD(sums) + 1.01f * sum/
layernorm-dx        | Sources/CVectorKernels/vector_kernels.inc | s/LOAD(skip) + (LOAD/LOAD(skip) + 1.01f * (LOAD/
layernorm-dx-final  | Sources/CVectorKernels/vector_kernels.inc | s/STORE(dx, (LOAD(dy)/STORE(dx, 1.01f * (LOAD(dy)/
layernorm-residual  | Sources/CVectorKernels/vector_kernels.inc | s/LOAD(skip) + (LOAD/1.01f * LOAD(skip) + (LOAD/
layernorm-mean      | Sources/CVectorKernels/vector_kernels.inc | s/weight) - a - normalized/weight) - 1.01f * a - normalized/
layernorm-product   | Sources/CVectorKernels/vector_kernels.inc | s/- a - normalized \* b/- a - normalized * b * 1.01f/
layernorm-dweight   | Sources/CVectorKernels/vector_kernels.inc | s/LOAD(dweight) + weight_sum/LOAD(dweight) + 1.01f * weight_sum/
layernorm-dbias     | Sources/CVectorKernels/vector_kernels.inc | s/LOAD(dbias) + bias_sum/LOAD(dbias) + 1.01f * bias_sum/
gelu                | Sources/CVectorKernels/vector_kernels.inc | s/LOAD(dx) \* (cumulative +/1.01f * LOAD(dx) * (cumulative +/
gelu-density        | Sources/CVectorKernels/vector_kernels.inc | s/(cumulative + in \* (e/(cumulative + 1.01f * in * (e/
gelu-tanh           | Sources/CVectorKernels/vector_kernels.inc | s/LOAD(dx) \* slope/1.01f * LOAD(dx) * slope/
relu                | Sources/CVectorKernels/vector_kernels.inc | s/choose_if(in > 0.0f, LOAD(dx)/choose_if(in > 0.0f, 1.01f * LOAD(dx)/
attention-dv        | Sources/Transformer/Model/Attention.swift | s/scratch.multiply(p, .transposed, dy, into: d.v.rows(seen)/scratch.products.multiply(p, .transposed, dy, .plain, into: d.v.rows(seen), scale: 1.01/
attention-dq        | Sources/Transformer/Model/Attention.swift | s/scratch.multiply(ds, keys, into: d.q.rows(rows)/&, scale: 1.01/
attention-dk        | Sources/Transformer/Model/Attention.swift | s/scratch.multiply(ds, .transposed, q, into: d.k.rows(seen)/scratch.products.multiply(ds, .transposed, q, .plain, into: d.k.rows(seen), scale: 1.01/
attention-dweights  | Sources/Transformer/Model/Attention.swift | s/scratch.multiply(dy, valuesTransposed, into: ds/&, scale: 1.01/
attention-softmax   | Sources/CVectorKernels/vector_kernels.inc | s/LOAD(p) \* (LOAD(dp) - subtract)/1.01f * LOAD(p) * (LOAD(dp) - subtract)/
attention-average   | Sources/CVectorKernels/vector_kernels.inc | s/(LOAD(dp) - subtract)/(LOAD(dp) - 1.01f * subtract)/
attention-dropout   | Sources/CVectorKernels/vector_kernels.inc | s/q \* (LOAD(d) \* m - subtract)/1.01f * q * (LOAD(d) * m - subtract)/
attention-dropped-p | Sources/CVectorKernels/vector_kernels.inc | s/STORE(probability, q \* m)/STORE(probability, 1.01f * q * m)/
loss-probabilities  | Sources/CVectorKernels/vector_kernels.inc | s/(LOAD(logits) - subtract) \* scale/(LOAD(logits) - subtract) * scale * 1.01f/
loss-target         | Sources/CVectorKernels/vector_kernels.inc | s/first_column\] -= scale/first_column] -= 1.01f * scale/
head-dx             | Sources/Transformer/Model/Head.swift | s/rows.multiply(logits, weight, into: rows\[dx\], part: .headProducts)/&; let d = rows[dx]; for index in 0..<d.rows * d.columns { d.base[index] *= 1.01 }/
head-dx-large       | Sources/Transformer/Execution/VocabularyBlocks.swift | s/into: partial, keep: keep/into: partial, scale: 1.01, keep: keep/
head-dwte           | Sources/Transformer/Model/Head.swift | s/pass.addProduct(dlogits.columns(ids), x.columns(columns), to: tile, .headProducts)/pass.products.multiply(dlogits.columns(ids), .transposed, x.columns(columns), .plain, into: tile, scale: 1.01, keep: 1)/
head-dwte-large     | Sources/Transformer/Execution/VocabularyBlocks.swift | s/into: dTile, keep: 1/into: dTile, scale: 1.01, keep: 1/
embedding-dwte      | Sources/Transformer/Model/Embedding.swift | s/token\[column\] += source/token[column] += 1.01 * source/
embedding-dwpe      | Sources/Transformer/Model/Embedding.swift | s/position\[column\] += source/position[column] += 1.01 * source/
adamw-first         | Sources/CVectorKernels/vector_kernels.inc | s/(gradient - first) \* rest1/(gradient - first) * rest1 * 1.01f/
adamw-second        | Sources/CVectorKernels/vector_kernels.inc | s/(gradient \* gradient) \* rest2/(gradient * gradient) * rest2 * 1.01f/
adamw-decay         | Sources/CVectorKernels/vector_kernels.inc | s/keep = 1.0f - lr \* decay/keep = 1.0f - lr * decay * 1.01f/
rank-left-out       | Sources/Collectives/Ring/RingAllReduce.swift | s/guard isReduced(message) else/guard isReduced(message), rank != 1 else/
rank-twice          | Sources/Collectives/Ring/RingAllReduce.swift | s/^ *kernels.pointee.add(.*/&; &/
bucket-left-out     | Sources/Training/Replicas/GradientReducer.swift | s/\.reversed()/.reversed().dropLast()/
rank-weight         | Sources/Training/Step/TrainingStep.swift | s|gradientScale: 1 / Float(tokenCount),|gradientScale: 1.01 / Float(tokenCount),|
clipping            | Sources/Training/Optimizer/GradientNorm.swift | s/maximum \/ (norm/1.01 * maximum \/ (norm/
document-end        | Sources/Preparation/Pipeline/BatchEncoder.swift | s/if piece.endsDocument { ids/if piece.startsDocument { ids/
document-hash       | Sources/Preparation/Pipeline/DocumentSplit.swift | s/seed: seed)/seed: 0)/
document-hashed     | Sources/Preparation/Pipeline/DocumentSplit.swift | s/start.prefix(Self.hashedBytes)/start.prefix(Self.hashedBytes - 1)/
position-cut        | Sources/Preparation/Pipeline/PositionSplit.swift | s/trainCount - before, in/trainCount - before + 1, in/
position-scalars    | Sources/Preparation/Pipeline/PositionSplit.swift | s/guard self == .characters else { return text.count }/return text.count/
separator-line      | Sources/Preparation/Readers/TextAssembler.swift | s/restart(at: open + 2)/restart(at: open + 1)/
separator-crlf      | Sources/Preparation/Readers/DocumentSeparator.swift | s/hasCR ? position - 1 : position/position/
line-field          | Sources/Preparation/Readers/JSONLine.swift | s/\.length > \$1\.length/.length < $1.length/
utf16-pairs         | Sources/Preparation/Readers/UTF16Stream.swift | s/(unit - 0xD800) << 10/(unit - 0xD800) << 9/
archive-hidden      | Sources/Preparation/Readers/CorpusReader.swift | s/!isHidden(member.name, in: archive.name) {/true {/
archive-marks       | Sources/Preparation/Readers/CorpusReader.swift | s/case .jsonLines, .archive, .compressed: true/case .jsonLines: true\n        case .archive, .compressed: false/
archive-list        | Sources/Preparation/Readers/ArchiveStream.swift | s/guard memberCount >= listed else/guard memberCount + 1 >= listed else/
gzip-rest           | Sources/Preparation/Readers/GzipStream.swift | s/guard buffer\[start\] == 0x1F else {/if buffer[start] != 0x1F { rest = 0..<0; return }; &/
shard-resume        | Sources/Preparation/Pipeline/ShardWriter.swift | s/length: state.openTokens \* elementType/length: state.openTokens * 0 * elementType/
pipeline-resume     | Sources/Preparation/Pipeline/TokenPipeline.swift | s/max(0, state.pieces - position), of/max(0, state.pieces - position - 1), of/
pipeline-save       | Sources/Preparation/Pipeline/TokenPipeline.swift | s/if position > state.pieces { (state/do { (state/
shard-header        | Sources/Datasets/TokenFile.swift | s/offset = header?.byteCount ?? 0/offset = 0/
random-last         | Sources/Datasets/BatchSampler.swift | s/below: sequence.count - blockSize)/below: sequence.count - blockSize - 1)/
sequential-ring     | Sources/Datasets/BatchSampler.swift | s/from: (start + 1) % sequence.count/from: min(start + 1, sequence.count - 1)/
epoch-shards        | Sources/Datasets/BatchSampler.swift | s/shards.permuted(turn, of: shardCount)/turn/
epoch-blocks        | Sources/Datasets/BatchSampler.swift | s/order.permuted(place, of: blocks.count)/place/
epoch-seed          | Sources/Datasets/BatchSampler.swift | s/step: epoch/step: 0/
epoch-tail          | Sources/Datasets/BatchSampler.swift | s/(sequence.targetCount + blockSize - 1) \/ blockSize/sequence.targetCount \/ blockSize/
split-tail          | Sources/Datasets/SplitBlocks.swift | s/rest == 0 ? whole : whole + \[last\]/whole/
wide-tokens         | Sources/Datasets/TokenBytes.swift | s/word \& 0xFFFF_0000_FFFF_0000 == 0/word \& 0xFFFF_0000 == 0/
group-adds          | Sources/Transformer/Model/Attention.swift | s/adds: index % groupSize > 0/adds: false/
gated-gate          | Sources/Transformer/Execution/Activation.swift | s/dg\[unit\] = a\[unit\] \* u\[unit\]/dg[unit] = a[unit]/
gated-up            | Sources/Transformer/Execution/Activation.swift | s/du\[unit\] \*= a\[unit\]/du[unit] *= 1.01 * a[unit]/
mask-end            | Sources/Transformer/Execution/DocumentBoundaries.swift | s/documents.append(start..<index + 1)/if start < index { documents.append(start..<index) }/; s/start = index + 1/start = index/
mask-forward        | Sources/Transformer/Execution/AttentionHead+Documents.swift | s/for document in pass.documents ?? \[0..<head.length\] {/for document in [0..<head.length] {/
PLANTS
}

for argument in "$@"; do
    plants | awk -F ' *[|]' -v name="$argument" '$1 == name { found = 1 } END { exit !found }' ||
        wrong_use "there is no place $argument"
done
require_swift
copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT
git archive HEAD | tar -x -C "$copy"
# Of a file: those of text and data for Preparation and Datasets, else the model's.
run_tests() {
    local tests='^(TransformerTests|TrainingTests)\..*(Parity|Gradient|Dropout|DocumentMask|Architecture)'
    case "$1" in Sources/Preparation/* | Sources/Datasets/*) tests='^(PreparationTests|DatasetsTests)\.' ;; esac
    (cd "$copy" && swift test --filter "$tests" > log 2>&1)
}

# A file of each kind.
all_pass() { run_tests Sources/Transformer && run_tests Sources/Datasets/TokenFile.swift; }

note "building the copy; its tests have to pass before anything is planted"
all_pass || { tail -n 20 "$copy/log" >&2; fail "the tests fail without a planted error"; }

unseen=()
while IFS='|' read -r name file edit; do
    name="${name// /}" file="${file// /}"
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    cp "$copy/$file" "$copy/original"
    sed "${edit# }" "$copy/original" > "$copy/$file"
    ! cmp -s "$copy/$file" "$copy/original" || fail "$name: nothing to change in $file; mend this script"
    if run_tests "$file"; then
        unseen+=("$name")
        result="NOT SEEN"
    elif ! grep -q '✘ Test' "$copy/log"; then
        tail -n 20 "$copy/log" >&2
        fail "$name: the planted error does not build"
    else
        result="seen by: $(grep -oE '✘ Test "[^"]*"' "$copy/log" | sort -u | sed 's/✘ Test //' | paste -sd ';' - | sed 's/;/; /g')"
    fi
    printf '%-20s %s\n' "$name" "$result"
    cp "$copy/original" "$copy/$file" # not mv: its old date would leave the planted error in the build
done < <(plants)
all_pass || fail "the tests fail although nothing is planted any more: the results above mean nothing"
[ "${#unseen[@]}" -eq 0 ] || fail "not seen: ${unseen[*]}"
