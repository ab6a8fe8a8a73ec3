import{a as e,d as t,f as n,g as r,h as i,i as a,l as o,m as s,n as c,p as l,s as u,u as d}from"./page-BFKq8pdA.js";var f=`/zeroconf-ai`,p=class{constructor(e){this.hass=e,this.settings=`/config/integrations/integration/zeroconf_ai`,this.can={arrange:!0,records:!0},this.routing=a((e,t)=>this.ask(e,t)),this.finding=u((e,t)=>this.ask(e,t))}get isAdmin(){return this.hass.user.is_admin}live(e,t){return o(this.hass.connection,{type:`zeroconf_ai/live`},e,t)}usage(e,t,n){return this.ask(`usage`,{start:e,end:t,group_by:n})}requests(e,t){return this.ask(`requests`,{...e,...t===null?{}:{after:t}})}keys(){return this.ask(`keys`)}createKey(e){return this.ask(`keys/create`,{name:e})}enableKey(e,t){return this.ask(`keys/enable`,{key_id:e,enabled:t})}rotateKey(e){return this.ask(`keys/rotate`,{key_id:e})}revokeKey(e){return this.ask(`keys/revoke`,{key_id:e})}async budgets(){return(await this.ask(`budgets`)).budgets}setBudget(e){let{scope:t,subject:n,period:r,amount:i,action:a}=e;return this.ask(`budgets/set`,{scope:t,subject:n,period:r,amount:i,action:a})}resetBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/reset`,{scope:e,subject:t,period:n})}removeBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/remove`,{scope:e,subject:t,period:n})}useProvider(e,t){return this.ask(`providers/set`,{backend_id:e,enabled:t})}orderProviders(e){return this.ask(`providers/order`,{backend_ids:e})}checkProvider(e){return this.ask(`providers/check`,{backend_id:e})}link(e){return`${f}/${e}`}async ask(t,n={}){try{return await this.hass.connection.sendMessagePromise({type:`zeroconf_ai/${t}`,...n})}catch(t){let{code:n,message:r}=t;throw new e(n??`failed`,r??`The command failed.`)}}},m=`component.zeroconf_ai.config_panel.`,h=class extends l{constructor(...e){super(...e),this.route={path:``},this.narrow=!1,this.loaded=``,this.language=``,this.texts=(e,t)=>this.hass.localize(m+e,t)||e}static{this.styles=r`
    :host {
      display: block;
      height: 100%;
      overflow-y: auto;
      background: var(--primary-background-color);
    }
    header {
      position: sticky;
      top: 0;
      z-index: 1;
      display: flex;
      align-items: center;
      gap: 8px;
      min-height: var(--header-height, 56px);
      padding: 0 12px;
      background: var(--app-header-background-color, var(--primary-color));
      color: var(--app-header-text-color, #fff);
    }
    h1 {
      font-size: 1.25rem;
      font-weight: 400;
      margin: 0;
    }
  `}willUpdate(e){if(e.has(`hass`)&&(this.api??=new p(this.hass),this.language!==this.hass.language)){let e=this.language=this.hass.language;this.hass.loadBackendTranslation(`config_panel`,`zeroconf_ai`).then(()=>this.loaded=e)}}render(){return i`<header>
        <ha-menu-button .hass=${this.hass} .narrow=${this.narrow}></ha-menu-button>
        <h1>ZeroConf AI</h1>
      </header>
      ${this.loaded?i`<zai-page
              .api=${this.api}
              .texts=${this.texts}
              .language=${this.loaded}
              .narrow=${this.narrow}
              .tab=${this.route.path.split(`/`)[1]??``}
            ></zai-page>`:s}`}};c([t({attribute:!1})],h.prototype,`hass`,void 0),c([t({attribute:!1})],h.prototype,`route`,void 0),c([t({type:Boolean})],h.prototype,`narrow`,void 0),c([d()],h.prototype,`loaded`,void 0),h=c([n(`zeroconf-ai-panel`)],h);