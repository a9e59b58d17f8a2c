// Goclip is the program of github.com/goclip/goclip/cmd/goclip, whose train command uses all
// processes that an MPI launcher has started:
//
//	mpirun -n 4 goclip train --data photos.csv --out model
//
// Without a launcher it is the same program.
package main

import (
	"github.com/goclip/goclip/cmd/command"
	"github.com/goclip/goclip/contrib/mpi"
	"github.com/goclip/goclip/train"
)

func main() {
	command.Main(command.Options{Ranks: func() (train.Ranks, func() error, error) {
		if !mpi.Launched() {
			return nil, func() error { return nil }, nil
		}
		w, err := mpi.Open(mpi.Options{})
		if err != nil {
			return nil, nil, err
		}
		return w, w.Close, nil
	}})
}
