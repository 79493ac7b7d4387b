// Command control-plane is a Kubernetes control plane in one binary: its first
// argument names the component to run, the others are that component's own.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

const usage = `usage: control-plane COMPONENT [ARGUMENT...]
components: etcd, kube-apiserver, kube-scheduler, kube-controller-manager, kubectl
or: control-plane facts   (the Go types behind each kind, as JSON)
or: control-plane key     (a new key to sign service account tokens with)
or: control-plane certificates   (an authority and a server's certificate for 127.0.0.1, as JSON)`

func main() {
	if len(os.Args) < 2 {
		fail(usage)
	}
	component := os.Args[1]
	// Each component parses os.Args itself, as if it were its own binary.
	os.Args = append([]string{filepath.Join(filepath.Dir(os.Args[0]), component)}, os.Args[2:]...)

	switch component {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		run(apiserver.NewAPIServerCommand())
	case "kube-scheduler":
		run(scheduler.NewSchedulerCommand())
	case "kube-controller-manager":
		run(controllers.NewControllerManagerCommand())
	case "kubectl":
		run(kubectl.NewDefaultKubectlCommand())
	case "facts":
		check(printFacts(os.Stdout))
	case "key":
		check(printKey(os.Stdout))
	case "certificates":
		check(printCertificates(os.Stdout))
	default:
		fail(fmt.Sprintf("unknown component %q\n%s", component, usage))
	}
}

func run(command *cobra.Command) {
	os.Exit(cli.Run(command))
}

func printKey(out io.Writer) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	return pem.Encode(out, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(2)
}
