#pragma once
// Root may write into any folder, so a test of folders that are not writable must lay that privilege down first.

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bouton {

// For the thread and the scope it lives in: permissions of files hold for root as for anyone.
class OrdinaryUser {
 public:
  OrdinaryUser() {
    ::syscall(SYS_capget, &header_, before_);
    __user_cap_data_struct without[2] = {before_[0], before_[1]};
    without[0].effective &= ~(1U << CAP_DAC_OVERRIDE);
    ::syscall(SYS_capset, &header_, without);
  }
  OrdinaryUser(const OrdinaryUser&) = delete;
  OrdinaryUser& operator=(const OrdinaryUser&) = delete;
  ~OrdinaryUser() { ::syscall(SYS_capset, &header_, before_); }

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before_[2]{};
};

// For what this process executes next; never given back. Without effect, and not needed, for anyone but root.
inline void execute_as_ordinary_user() { ::prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0); }

}  // namespace bouton
