// Package dataset reads image–caption pairs for training and evaluation.
//
// A [Source] is a set whose images are decoded when they are needed. [Open] reads tables,
// folders, tars and WebDataset shards; [NewIndexed] makes a source from any function;
// package shapes draws synthetic images. [Batches] iterates over a source, epoch after
// epoch, decoding and augmenting ahead in the background:
//
//	set, err := dataset.Open("train.csv", nil)
//	...
//	ledger := new(dataset.Ledger)
//	options := dataset.BatchOptions{Size: 128, Epochs: 10, Shuffle: true, Seed: 1, Ledger: ledger}
//	for batch, err := range dataset.Batches(ctx, set, options) {
//		if err != nil {
//			return err
//		}
//		// train on batch.Pairs; save batch.Next to resume from here
//	}
//
// Three guarantees hold throughout. Everything random comes from a seed, so that one seed
// gives one sequence of images and captions, for any number of goroutines, and a run that
// is resumed sees what it would have seen. Memory is bounded: an index holds names and
// captions, never images, and streams hold a buffer of a stated size. Nothing is lost
// silently: a sample that cannot be used goes to a [Ledger] with its reason, and a set of
// which nothing can be used is an error before the first batch.
package dataset
