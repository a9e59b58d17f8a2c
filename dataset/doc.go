// Package dataset gives pairs of a picture and a caption for training and
// testing: from a set drawn by the package itself ([Shapes]) and from files.
package dataset
