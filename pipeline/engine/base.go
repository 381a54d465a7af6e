package engine

import "dagger.io/dagger"

// baseTarball is where an archive of a base is unpacked from.
const baseTarball = "/base.tar"

// base is the OCI layout to stand on, nil for what temper.yaml names. Unpacking
// changes none of its bytes, so an archive gives the digest that its layout does.
func (p *Pipeline) base() *dagger.Directory {
	if p.opts.BaseTarball == nil {
		return p.opts.Base
	}
	return p.toolchain().
		WithMountedFile(baseTarball, p.opts.BaseTarball).
		WithDirectory(baseDir, p.client.Directory()).
		WithExec([]string{"tar", "-xf", baseTarball, "-C", baseDir, "--no-same-owner"}).
		Directory(baseDir)
}
