#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Does build/setup ask each distribution for its own packages, and does the build find its httpd?
#
# The real scripts, in a place where nothing is installed, with an os-release file of each kind and
# package managers that write down what they were asked. And configure, with an httpd that is called
# and laid out as on Fedora. What this cannot show: that those packages exist and install.
use strict;
use warnings;
use Test::More;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use lib dirname(__FILE__);
use Guard;

my $dir = tempdir(CLEANUP => 1);

sub spew
{
    my ($file, $text, $mode) = @_;
    make_path(dirname($file));
    open(my $fh, '>', $file) or die "$file: $!\n";
    print $fh $text;
    close($fh) or die "$file: $!\n";
    chmod($mode // 0644, $file);
    return;
}

# ------------------------------------------------------------------ a place with nothing installed

for my $tool (qw(bash env cat sed grep head tail dirname mkdir mktemp rm mv flock uname find)) {
    my ($real) = grep { -x } map { "$_/$tool" } split /:/, $ENV{PATH};
    symlink($real, "$dir/bin/$tool") or (make_path("$dir/bin") and symlink($real, "$dir/bin/$tool"));
}
spew("$dir/bin/$_", <<'END', 0755) for qw(apt-get dpkg dnf sudo);
#!/bin/bash
echo "${0##*/} $*" >>"$FAKE_RECORD"
case "${0##*/} $*" in
sudo*) exec "$@" ;;
*repolist*) printf '%s\n' $FAKE_REPOSITORIES | sed 's/$/   Some repository   enabled/' ;;
*download*) exit 1 ;;
esac
END
spew("$dir/bin/id", qq(#!/bin/bash\necho "\$FAKE_UID"\n), 0755);

my %release = (
    fedora => "ID=fedora\nVERSION_ID=43\n",
    rhel   => qq(ID="rhel"\nID_LIKE="centos fedora"\nVERSION_ID="10.0"\n),
    rocky  => qq(ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.0"\n),
    alma   => qq(ID="almalinux"\nID_LIKE="rhel centos fedora"\n),
    centos => qq(ID="centos"\nID_LIKE="rhel fedora"\n),
    debian => "ID=debian\nVERSION_ID=\"13\"\n",
    ubuntu => "ID=ubuntu\nID_LIKE=debian\n",
    suse   => qq(ID="opensuse-leap"\nID_LIKE="suse opensuse"\n),
);

# Runs build/setup on that system. What it said, and the package managers' commands.
sub set_up
{
    my ($system, %o) = @_;
    spew("$dir/os-release", $release{$system});
    unlink("$dir/record");
    my %env = (PATH => "$dir/bin", AI_SBIN => '/nonexistent', AI_ROOT => '/nonexistent', AI_OS_RELEASE => "$dir/os-release",
               AI_BUILD => "$dir/out", FAKE_RECORD => "$dir/record", FAKE_UID => $o{uid} // 0,
               FAKE_REPOSITORIES => $o{repositories} // '');
    my $env  = join(' ', map { "$_='$env{$_}'" } sort keys %env);
    my $said = `env -i $env bash @{[ top() ]}/build/setup @{[ $o{tests} ? '--tests' : '' ]} 2>&1`;
    my @asked = -f "$dir/record" ? map { chomp; $_ } do { open(my $fh, '<', "$dir/record"); <$fh> } : ();
    return ($said, grep { !/repolist|download --help/ } @asked);
}

my @build = qw(gcc glibc-devel make autoconf automake libtool pkgconf-pkg-config httpd-core httpd-devel
               apr-devel apr-util-devel mod_ssl json-c-devel openssl-devel libcurl-devel libzstd-devel curl
               openssl apr-util-sqlite);
my @tests = qw(perl perl-libwww-perl perl-IO-Socket-SSL procps-ng mod_http2 python3
               apr-util-pgsql apr-util-mysql mariadb-server mariadb postgresql-server postgresql tzdata
               xz yajl libtool-ltdl cjose mod_ldap mod_session cpio dnf-plugins-core);
my $dnf   = 'dnf -q -y install --setopt=install_weak_deps=False';

my ($said, @asked) = set_up('fedora');
is_deeply(\@asked, ["$dnf @build"], 'Fedora: what build/run needs');
like($said, qr/httpd itself, without a service/, 'and says why');
like($said, qr/still not usable: gcc/, 'and looks whether it is there now');
(undef, @asked) = set_up('fedora', tests => 1);
is_deeply(\@asked, ["$dnf @build @tests"], 'Fedora: what the tests need');

my $rhel_crb = 'codeready-builder-for-rhel-10-x86_64-rpms';
for my $case ([rocky => 'crb'], [alma => 'crb'], [centos => 'crb'], [rhel => $rhel_crb]) {
    my ($system, $crb) = @$case;
    (undef, @asked) = set_up($system, repositories => "baseos appstream $crb");
    is_deeply(\@asked, ["$dnf --enablerepo=$crb @build"], "$system: with its extra repository");
}
(undef, @asked) = set_up('rocky');
is_deeply(\@asked, ["$dnf @build"], 'rocky: or without, where there is none');
(undef, @asked) = set_up('rocky', tests => 1, repositories => 'baseos crb');
is_deeply(\@asked, ['dnf -q -y install epel-release', "$dnf --enablerepo=crb @build @tests epel-release"],
          'rocky: EPEL first, for the tests');
(undef, @asked) = set_up('rocky', tests => 1, repositories => 'baseos crb epel');
is_deeply(\@asked, ["$dnf --enablerepo=crb @build @tests"], 'rocky: unless it is on');
($said, @asked) = set_up('rhel', tests => 1);
is_deeply(\@asked, [], 'RHEL: nothing is installed before EPEL is on');
like($said, qr/in EPEL, which is not switched on/, 'and it is said');

(undef, @asked) = set_up('fedora', uid => 1000);
is_deeply(\@asked, ["sudo env DEBIAN_FRONTEND=noninteractive $dnf @build", "$dnf @build"],
          'who is not root needs sudo');

for my $system (qw(debian ubuntu)) {
    (undef, @asked) = set_up($system);
    is($asked[0], 'apt-get -qq update', "$system: the lists first");
    like($asked[1], qr/^apt-get .* install -y --no-install-recommends gcc libc6-dev make autoconf automake libtool pkg-config apache2-bin apache2-dev libjson-c-dev libssl-dev libcurl4-openssl-dev libzstd-dev curl openssl libaprutil1-dbd-sqlite3$/,
         "$system: then its packages");
}
($said, @asked) = set_up('suse');
is_deeply(\@asked, [], 'an unknown system: nothing is installed');
like($said, qr{apache2-dev / httpd-devel}, 'what is missing is named as elsewhere');

# --------------------------------------------------------- an httpd that is laid out as on Fedora

my %ours  = map { $_ => $ENV{$_} // die "$_ is not set; run make check\n" }
            qw(AI_APXS AI_HTTPD_PROGRAM AI_HTTPD_MODULES AI_MODULES AI_SIM);
my $there = "$dir/fedora";
make_path("$there/sbin", "$there/lib64/httpd");
symlink($ours{AI_HTTPD_PROGRAM}, "$there/sbin/httpd") or die "httpd: $!\n";
symlink($ours{AI_HTTPD_MODULES}, "$there/lib64/httpd/modules") or die "modules: $!\n";
spew("$there/bin/apxs", <<"END", 0755);
#!/bin/sh
case \$2 in
PROGNAME) echo httpd ;;
SBINDIR) echo $there/sbin ;;
LIBEXECDIR) echo $there/lib64/httpd/modules ;;
*) exec $ours{AI_APXS} "\$@" ;;
esac
END
make_path("$dir/configured");
my $configure = abs_path(top()) . '/configure';
$said = `cd $dir/configured && $configure --quiet --with-apxs=$there/bin/apxs 2>&1`;
is($?, 0, 'configure takes it') or diag($said);
my $makefile = do { open(my $fh, '<', "$dir/configured/Makefile") or die "no Makefile\n"; local $/; <$fh> };
my %value = $makefile =~ /^(AI_HTTPD|AI_HTTPD_LIBEXECDIR) = (.*)$/mg;
is_deeply(\%value, { AI_HTTPD => "$there/sbin/httpd", AI_HTTPD_LIBEXECDIR => "$there/lib64/httpd/modules" },
          'it finds the program and its modules');
make_path("$dir/rundir");
for my $example (files(qr/quickstart\.conf$/, 'conf-examples')) {
    $said = `AI_HTTPD=$value{AI_HTTPD} AI_HTTPD_MODULES=$value{AI_HTTPD_LIBEXECDIR} \\
             AI_MODULES=$ours{AI_MODULES} AI_SIM=$ours{AI_SIM} \\
             @{[ top() ]}/build/serve check $dir/rundir 8080 @{[ top() ]}/$example 2>&1`;
    like($said, qr/Syntax OK/, "$example starts there");
}
done_testing();
