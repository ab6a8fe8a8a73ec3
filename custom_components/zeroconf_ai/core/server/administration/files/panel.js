import{_ as e,a as t,d as n,f as r,g as i,h as a,i as o,l as s,m as c,n as l,o as u,p as d,s as f,v as p}from"./page-DWf8nYui.js";var m=`/zeroconf-ai`,h=class{constructor(e){this.hass=e,this.settings=`/config/integrations/integration/zeroconf_ai`,this.can={arrange:!0,records:!0},this.routing=u((e,t)=>this.ask(e,t)),this.finding=s((e,t)=>this.ask(e,t))}get isAdmin(){return this.hass.user.is_admin}live(e,t){return n(this.hass.connection,{type:`zeroconf_ai/live`},e,t)}usage(e,t,n){return this.ask(`usage`,{start:e,end:t,group_by:n})}requests(e,t){return this.ask(`requests`,{...e,...t===null?{}:{after:t}})}keys(){return this.ask(`keys`)}createKey(e){return this.ask(`keys/create`,{name:e})}enableKey(e,t){return this.ask(`keys/enable`,{key_id:e,enabled:t})}rotateKey(e){return this.ask(`keys/rotate`,{key_id:e})}revokeKey(e){return this.ask(`keys/revoke`,{key_id:e})}async budgets(){return(await this.ask(`budgets`)).budgets}setBudget(e){let{scope:t,subject:n,period:r,amount:i,action:a}=e;return this.ask(`budgets/set`,{scope:t,subject:n,period:r,amount:i,action:a})}resetBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/reset`,{scope:e,subject:t,period:n})}removeBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/remove`,{scope:e,subject:t,period:n})}useProvider(e,t){return this.ask(`providers/set`,{backend_id:e,enabled:t})}orderProviders(e){return this.ask(`providers/order`,{backend_ids:e})}checkProvider(e){return this.ask(`providers/check`,{backend_id:e})}link(e){return`${m}/${e}`}async ask(e,t={}){try{return await this.hass.connection.sendMessagePromise({type:`zeroconf_ai/${e}`,...t})}catch(e){let{code:t,message:n}=e;throw new f(t??`failed`,n??`The command failed.`)}}},g=300,_=`component.zeroconf_ai.config_panel.`,v=class extends a{constructor(...e){super(...e),this.route={path:``},this.narrow=!1,this.loaded=``,this.ready=!1,this.language=``,this.texts=(e,t)=>this.hass.localize(_+e,t)||e}static{this.styles=p`
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
  `}connectedCallback(){super.connectedCallback(),t(g).then(()=>this.ready=!0)}willUpdate(e){if(e.has(`hass`)&&(this.api??=new h(this.hass),this.language!==this.hass.language)){let e=this.language=this.hass.language;this.hass.loadBackendTranslation(`config_panel`,`zeroconf_ai`).then(()=>this.loaded=e)}}render(){return e`<header>
        ${this.ready?o(this.hass,this.narrow,this.texts(`common.menu`)):i}
        <h1>ZeroConf AI</h1>
      </header>
      ${this.loaded&&this.ready?e`<zai-page
              .api=${this.api}
              .texts=${this.texts}
              .language=${this.loaded}
              .narrow=${this.narrow}
              .tab=${this.route.path.split(`/`)[1]??``}
            ></zai-page>`:i}`}};l([d({attribute:!1})],v.prototype,`hass`,void 0),l([d({attribute:!1})],v.prototype,`route`,void 0),l([d({type:Boolean})],v.prototype,`narrow`,void 0),l([r()],v.prototype,`loaded`,void 0),l([r()],v.prototype,`ready`,void 0),v=l([c(`zeroconf-ai-panel`)],v);