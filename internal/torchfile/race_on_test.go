//go:build race

package torchfile

const raceDetector = true
