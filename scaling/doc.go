// Package scaling asks how a model's loss falls with its parameters, its data and
// the compute that trains it, and what to spend the next budget on.
//
// Runs of a grid of models and amounts of data become records ([RunAll], [Record],
// [Log]); what a run costs is counted from its model's shapes ([TrainingFLOPs]).
// Laws are fitted to the records, each with bootstrap intervals:
//
//   - [FitLine], a straight line in logarithms, y = A·x^−α;
//   - [FitPower], with an irreducible term, y = E + A·x^−α;
//   - [FitJoint], in parameters and samples at once, y = E + A/N^α + B/D^β
//     (Hoffmann et al., "Training compute-optimal large language models", 2022,
//     approach 3), of which repeated samples are worth less than new ones ([Effective]);
//   - [FitFrontier], a line through the best run of each bin of compute (as
//     Cherti et al., "Reproducible scaling laws for contrastive language-image
//     learning", 2023, report CLIP's zero-shot error).
//
// A law holds where it was fitted. Every [Fit] tells that range, and what it says
// beyond it is a prediction for a further run to test: [Fit.PredictBeyond] is as wide as
// laws of the smaller runs were wrong about the larger ones.
//
// Beside laws of learning stands the arithmetic of many machines, which docs/scale.md uses: [Bulk] is the
// embedding of a large set, [Rows] a search through the result, [Step] a training step whose gradients
// travel.
package scaling
